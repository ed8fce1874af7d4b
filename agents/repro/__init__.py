"""The papers' tables and figures, run again and laid beside what was published."""
