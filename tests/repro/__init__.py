"""The papers' figures again."""
