"""The invoices document: its commands as they stand, what its answers say, and requests like its own."""

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service

CREATE = """
curl -X POST http://localhost:3000/api/invoices \\
  -H "Authorization: Bearer pk_xxx:sk_xxx" \\
  -H "Content-Type: application/json" \\
  -d '{
    "business_id": "biz_abc123",
    "customer_email": "client@example.com",
    "customer_name": "John Smith",
    "invoice_number": "INV-2024-001",
    "issued_date": "2024-02-15",
    "due_date": "2024-03-15",
    "currency": "USD",
    "notes": "Thank you for your business!",
    "payment_terms": "Net 30",
    "line_items": [
      {
        "description": "Website Development",
        "quantity": 1,
        "unit_price": 5000,
        "type": "service",
        "tax_rate": 10
      },
      {
        "description": "Hosting Setup",
        "quantity": 1,
        "unit_price": 500,
        "type": "fee",
        "tax_rate": 0
      }
    ]
  }'
"""
LIST = """
curl http://localhost:3000/api/invoices?business_id=biz_abc123&status=sent&limit=20 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
GET = """
curl http://localhost:3000/api/invoices/inv_xyz789 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
PATCH = """
curl -X PATCH http://localhost:3000/api/invoices/inv_xyz789 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx" \\
  -H "Content-Type: application/json" \\
  -d '{
    "customer_email": "newemail@example.com",
    "customer_name": "Jane Smith",
    "due_date": "2024-04-15",
    "notes": "Updated notes",
    "payment_terms": "Net 45"
  }'
"""
DELETE = """
curl -X DELETE http://localhost:3000/api/invoices/inv_xyz789 \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
CREATE_LINK = """
curl -X POST http://localhost:3000/api/invoices/inv_xyz789/payment-link \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
GET_LINK = """
curl http://localhost:3000/api/invoices/inv_xyz789/payment-link \\
  -H "Authorization: Bearer pk_xxx:sk_xxx"
"""
# What the document's own answers say of the invoice of its first example.
SAID = {
    "invoice_number": "INV-2024-001",
    "customer_email": "client@example.com",
    "amount": 5500,
    "tax_amount": 500,
    "total_amount": 6000,
    "currency": "USD",
    "issued_date": "2024-02-15T00:00:00Z",
    "due_date": "2024-03-15T00:00:00Z",
}
DETAILS = {"customer_name": "John Smith", "notes": "Thank you for your business!", "payment_terms": "Net 30"}
LINE_SAID = {"description": "Website Development", "quantity": 1, "unit_price": 5000, "type": "service", "tax_rate": 10}


def send(session, invoice_id: str) -> int:
    """Send the invoice on the pages; its inner id."""
    found = queries.one(session, SYSTEM, invoice_id)
    return service.send(session, SYSTEM, found.id, now=utc_now()).id


def body(of_business: str, **facts) -> dict:
    """A request that is right but for what a test changes; None leaves a field out."""
    line = {"description": "Consulting", "quantity": 1, "unit_price": 100}
    known = {"business_id": of_business, "customer_email": "client@example.com", "line_items": [line]}
    return {name: value for name, value in (known | facts).items() if value is not None}


def create(client, of_business: str, **facts):
    return client.post("/api/invoices", json=body(of_business, **facts))
