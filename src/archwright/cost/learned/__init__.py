"""Costs that do not add up: predictors and the graph encoder. Import from the modules."""
