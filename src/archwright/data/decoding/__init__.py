"""From files of images to pixels. Import from the modules."""
