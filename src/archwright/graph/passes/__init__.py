"""Transformations of graphs. Import from the modules."""
