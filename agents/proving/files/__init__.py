"""Readers of iden3's binary files: proving keys (.zkey), witnesses (.wtns) and constraint systems (.r1cs)."""
