"""``python -m agents`` is ``agent``."""

import sys

from agents.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
