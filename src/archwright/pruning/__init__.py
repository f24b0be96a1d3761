"""Networks made smaller after they were trained. Import from the modules."""
