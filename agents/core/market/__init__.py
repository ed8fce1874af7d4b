"""The market's rules, pure: what the contracts do, known off chain from their events alone."""
