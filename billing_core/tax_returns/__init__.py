"""What is owed in tax: by business, currency, country of the customer and rate, from the documents of a period."""
