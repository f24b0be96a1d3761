"""Derivation of an architecture from learned weights. Import from the modules."""
