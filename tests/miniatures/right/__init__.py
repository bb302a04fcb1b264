"""Right in another way than the frameworks."""
