"""Proofs of storage, pure: field, hash, trees, sampling, circuit inputs, verification. Conventions of Codex, bit for bit."""
