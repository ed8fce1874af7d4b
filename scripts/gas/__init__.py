"""The gas benchmark: what it does on a chain. Run scripts/bench_gas."""
