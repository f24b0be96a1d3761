"""Search by gradient descent: methods, bilevel loop, budgets, derivation. Import from modules."""
