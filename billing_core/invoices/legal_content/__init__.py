"""What the law of the seller's country wants an invoice to say, and what is missing on one. No legal advice."""
