"""The chain: JSON-RPC, typed calls and events, nonce lanes, a reorg-aware event cursor, keys, and local chains."""
