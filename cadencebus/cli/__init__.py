"""Ways in: one file per verb."""
