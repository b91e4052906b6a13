"""The modes of `scripts/torture`: each breaks the bus in one way and counts what it finds."""
