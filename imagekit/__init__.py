"""imagekit: a Python project and its dependencies as a container image, and flows run in it."""
