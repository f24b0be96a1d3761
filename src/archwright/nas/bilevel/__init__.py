"""The two alternating steps of a search by gradient descent. Import from the modules."""
