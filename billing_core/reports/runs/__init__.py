"""Bill runs: the reports of several customers over one period."""
