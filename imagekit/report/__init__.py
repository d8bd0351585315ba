"""Pictures and tables of what was measured, and of an image: pages that need nothing beside themselves. Pure."""
