"""The chain: JSON-RPC, typed calls and events, one nonce lane a key, a reorg-aware event cursor, keys, and local chains."""
