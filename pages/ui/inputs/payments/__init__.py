"""What is asked and said where money is recorded: how it came, whether before, and who pays less for being early."""
