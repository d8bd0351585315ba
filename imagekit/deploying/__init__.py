"""Flows and their deployments: decorated, specified, checked, built once for all, and kept in the store."""
