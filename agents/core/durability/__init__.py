"""How likely data is to be lost: slots under lazy repair, sampling detection, chunk groups, targeted attacks."""
