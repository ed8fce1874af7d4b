"""From a slot to a proof: development keys, provers, the machine's prover lock, verification before submission."""
