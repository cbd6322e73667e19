"""What the invoices of these tests are made of: 200.00 and 19 % tax, 238.00 in all."""

LINE = {"description": "Consulting", "quantity": 2, "unit_price": 100, "tax_rate": 19}
