"""`agent demo`: the whole market on one machine, told as a story. It only watches; every transaction is an agent's own."""
