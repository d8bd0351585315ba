"""Image builders that do imagekit's job otherwise, each as its own package in an environment of its own.

All of them are given the same versions and the same code, on the same engine and the same base.
"""
