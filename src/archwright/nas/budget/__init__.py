"""Budgets: what a network may cost, held while a search runs and when its network is derived."""
