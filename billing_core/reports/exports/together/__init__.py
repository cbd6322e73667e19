"""Many reports in one file: a month for all customers."""
