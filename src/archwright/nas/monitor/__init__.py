"""Collapse indicators of a running search. Import from the modules."""
