"""`python -m cadencebus` is the same program as `cadence`."""

from __future__ import annotations

import sys

from cadencebus.cli.main import main

sys.exit(main())
