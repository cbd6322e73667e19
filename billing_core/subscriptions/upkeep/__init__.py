"""What is done for subscriptions between their periods: cards that are replaced, customers who are reminded."""
