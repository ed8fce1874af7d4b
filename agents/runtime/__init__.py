"""Composition: builds adapters, runs roles on them, and drains on SIGTERM."""
