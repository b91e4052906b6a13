"""One run: its process tree from start to last descendant."""
