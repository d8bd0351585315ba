"""Two runs, or two images: what is different."""
