"""The version of archwright, read by hatch when a wheel is built."""

__version__ = "0.1.0"
