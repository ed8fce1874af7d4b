"""What agents keep on disk: slots, the client's spool, and the state they resume from."""
