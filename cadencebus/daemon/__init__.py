"""The loops: what a consumer does, turn after turn."""
