"""Costs of archwright itself, one file each. Import from the modules."""
