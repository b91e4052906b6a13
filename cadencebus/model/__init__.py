"""Nouns: immutable values; no clock, no disk, no environment."""
