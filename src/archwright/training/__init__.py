"""Training of discrete networks, resumable. Import from the modules."""
