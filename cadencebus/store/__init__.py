"""The disk: the only place that touches state/ and prompts/."""
