"""Who has what: signed summaries of caches, and which cache to ask."""
