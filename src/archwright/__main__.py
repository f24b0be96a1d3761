"""Run `python -m archwright`: the same command line as `archwright`."""

import sys

from archwright.cli import main

if __name__ == "__main__":
    sys.exit(main())
