"""How much customers used in stretches of billing-zone days, as the aggregation of each meter has it."""
