"""Speed, measured as ratios against a limit in the same run. ``make bench`` runs all of it."""
