"""What a cache keeps: admission policies, and the order in which it gives up what it kept."""
