"""What becomes of trained networks: exported to files, and scored. Import from the modules."""
