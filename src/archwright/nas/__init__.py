"""Search by gradient descent: methods, the one bilevel loop, checkpoints. Import from modules."""
