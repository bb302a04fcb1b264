"""Battery: the cases of an operation given as a formula, from the kinds of its inputs."""
