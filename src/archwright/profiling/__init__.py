"""Profiling of operations on this machine. Import from the modules."""
