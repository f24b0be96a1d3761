"""Run folders, read into typed values. Import from the modules."""
