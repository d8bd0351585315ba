"""Recipes: what Python packages need beyond wheels, as stages beneath the layers of an image."""
