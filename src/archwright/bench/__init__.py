"""Measurements: what networks take, beside each other in one process. Import from modules."""
