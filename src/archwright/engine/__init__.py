"""What every run has: options, a folder, a log, checkpoints, a device, a line of progress.

Import from the modules: options are read by the command line, which must not wait for torch.
"""
