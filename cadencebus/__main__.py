"""`python -m cadencebus` is the same program as `cadence`."""

from __future__ import annotations

import os
import sys

try:
    from cadencebus.cli.main import main
except KeyboardInterrupt:
    sys.exit(130)

os._exit(main())
