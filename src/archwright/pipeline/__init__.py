"""The whole chain in one run: from images to a file that fits. Import from the modules."""
