"""Plans: what a customer's usage includes and costs, in versions; and who is on which from when."""
