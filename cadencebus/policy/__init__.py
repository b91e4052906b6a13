"""Rules: pure functions of facts, time and randomness."""
