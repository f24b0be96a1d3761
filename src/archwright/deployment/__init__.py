"""Export and evaluation of trained networks. Import from the modules."""
