"""Holdfast: a marketplace for durable storage."""
