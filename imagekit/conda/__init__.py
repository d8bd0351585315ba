"""Packages of conda's: solved and locked, and each written as a layer of a prefix. No container runs for it."""
