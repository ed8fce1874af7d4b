"""The chain: JSON-RPC, typed calls and events, senders, a reorg-aware event cursor, keys, and local chains."""
