"""Run folder: settings, log, lock, checkpoints. Import from the modules."""
