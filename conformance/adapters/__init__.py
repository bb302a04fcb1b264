"""The frameworks, one adapter each; runs in the subject's interpreter and imports nothing else of ours."""
