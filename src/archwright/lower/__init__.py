"""From graphs to torch modules."""

from archwright.lower.mixture import Mixture, logits_table
from archwright.lower.naive import NaiveNetwork

__all__ = ["Mixture", "NaiveNetwork", "logits_table"]
