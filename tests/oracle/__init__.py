"""The operations once more, from their mathematical definition alone: it shares no code with the package."""
