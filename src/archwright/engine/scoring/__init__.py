"""Scores of a network on images. Import from the modules."""
