"""Agents at work: each runs the duties that core works out, through the chain, the store, peers and provers."""
