"""Registries (OCI distribution-spec v1.1): reading images from them, and writing ours to them."""
