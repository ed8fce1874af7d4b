"""Caches of two levels replaying traces of requests under many policies."""
