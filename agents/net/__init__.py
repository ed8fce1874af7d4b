"""Peers over HTTP: signed requests, verified blocks, bounded everything. Knows no store and no chain."""
