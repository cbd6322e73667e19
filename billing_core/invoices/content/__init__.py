"""What an invoice says, before it is sent: its fields, its terms, and what they come to."""
