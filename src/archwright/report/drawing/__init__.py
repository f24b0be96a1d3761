"""Charts and graphs as SVG. Import from the modules."""
