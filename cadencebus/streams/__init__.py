"""What agents print, line by line: parsers without pipes, and a rendering for people."""
