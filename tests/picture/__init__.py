"""A picture of a terminal, from commands that are really run: `scripts/picture`."""
