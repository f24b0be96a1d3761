"""DiffGraphNAS: a distribution over graphs, its estimators, its encoding and its shrinking."""
