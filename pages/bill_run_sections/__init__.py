"""Bill runs: chosen, started, watched, and what their rehearsals say."""
