"""A search from images to its run folder. Import from the modules."""
