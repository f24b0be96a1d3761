"""One module per sub-command. Import from the modules."""
