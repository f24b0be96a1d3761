"""Costs that add up over decisions, exact and expected. Import from the modules."""
