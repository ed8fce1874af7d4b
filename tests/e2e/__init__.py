"""Everything together: real processes, real proofs, a real chain."""
