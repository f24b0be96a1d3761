"""Command line: sub-commands derived from the typed configurations."""

from archwright.cli.main import main

__all__ = ["main"]
