"""The sessions that are signed in, of all processes, and what they moved today."""
