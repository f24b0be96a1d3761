"""Costs that are not additive: predictors and the graph encoder. Import from the modules."""
