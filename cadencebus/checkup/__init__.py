"""The doctor's rooms: a file for each family of findings, none of which changes anything by looking."""
