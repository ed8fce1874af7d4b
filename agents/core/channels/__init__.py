"""Paid reads: lanes, vouchers and offers, and the two accounts kept of a lane, the cache's and the reader's."""
