"""What is asked and said where money is recorded: how it came, whether it came before, who pays less for being early."""
