"""From learned weights to an architecture. Import from the modules."""
