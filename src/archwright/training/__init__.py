"""The recipes for a discrete network, resumable. Import from the modules."""
