"""What deleting nodes is compared with. Import from the modules."""
