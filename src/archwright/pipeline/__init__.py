"""All stages in one run: from images to a file within its budgets. Import from the modules."""
