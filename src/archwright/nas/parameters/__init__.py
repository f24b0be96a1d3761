"""Architecture parameters and the relaxations that sample from them. Import from the modules."""
