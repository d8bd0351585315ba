"""What packages ask of a base beyond Python: seen before an image is made, and told after a build that failed."""
