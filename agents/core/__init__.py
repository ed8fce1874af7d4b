"""The pure core: no sockets, no files, no clock, no randomness of its own."""
