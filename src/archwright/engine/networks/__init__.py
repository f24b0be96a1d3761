"""Networks on disk: graph, weights, and both together. Import from the modules."""
