"""A run as a Kubernetes ``Job``: written, never sent."""
