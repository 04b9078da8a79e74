"""``python -m lamina_cli``: the same as ``lamina``."""

from __future__ import annotations

import sys

from lamina_cli import main

if __name__ == "__main__":
    sys.exit(main())
