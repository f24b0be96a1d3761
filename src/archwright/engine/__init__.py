"""Common parts of all runs: options, folder, log, checkpoints, device, progress.

Import from the modules: the command line reads the options, and must not wait for torch.
"""
