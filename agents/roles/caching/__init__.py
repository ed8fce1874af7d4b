"""A cache: hot objects in memory, more on disk, and where the others are fetched."""
