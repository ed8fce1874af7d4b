"""Simulated datasets and chunk groups: what the models of durability are checked against."""
