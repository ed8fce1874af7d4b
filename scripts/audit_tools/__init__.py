"""What scripts/audit and scripts/mutate are made of."""
