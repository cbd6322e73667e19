"""What a file holds: known exports are recognised by their columns, others weighed by evidence."""
