"""What a cache keeps on disk."""
