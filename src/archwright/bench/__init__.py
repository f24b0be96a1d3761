"""Benchmarks: studies of searches and networks on a shared engine; see `registry`."""
