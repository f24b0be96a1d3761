"""Budgets: limits on costs, during a search and when its network is derived."""
