"""A project that has no configuration yet: what it looks like, and what to start from."""
