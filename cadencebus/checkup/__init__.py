"""The doctor: a file for each family of findings; looking changes nothing."""
