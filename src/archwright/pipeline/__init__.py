"""Build, all stages in one run: from images to a file within its budgets. Import its modules."""
