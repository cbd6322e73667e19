"""The example rows of each kind. Of an empty company they go in without a question, in the order of the kinds."""

from typing import Final

from billing_core.imports import Kind
from billing_core.imports.kinds.registry import DEFINITIONS

_TIERS: Final = (
    '{"mode": "graduated", "tiers": [{"up_to": 10, "unit_price": "4.90"}, {"up_to": null, "unit_price": "3.90"}]}'
)
_ABROAD: Final = '{"all": [{"field": "ship_to_country", "op": "ne", "value": "DE"}]}'

# What an example has in a column; the others are empty.
_FILLED: Final[dict[Kind, tuple[dict[str, str], ...]]] = {
    Kind.CUSTOMERS: (
        {
            "customer_ref": "C-1001",
            "name": "Example Trading GmbH",
            "email": "billing@customer.example",
            "phone": "030 123456",
            "address": "Example Street 1",
            "city": "Berlin",
            "state": "Berlin",
            "postal_code": "10115",
            "country": "DE",
            "currency": "EUR",
            "tax_id": "DE123456789",
            "payment_terms": "Net 30",
            "language": "en",
            "format_region": "DE",
            "further_emails": "warehouse@customer.example; owner@customer.example",
            "cc_emails": "books@customer.example",
        },
    ),
    Kind.SERVICES: (
        {"service_code": "PICK", "name": "Picking", "cost_type": "per_item"},
        {"service_code": "SHIP", "name": "Shipping abroad", "cost_type": "per_order"},
    ),
    Kind.PRODUCTS: ({"customer_ref": "C-1001", "sku": "MUG-BLUE", "name": "Blue mug", "case_size": "12"},),
    Kind.RATES: (
        {
            "customer_ref": "C-1001",
            "service_code": "PICK",
            "unit_price": "0.25",
            "currency": "EUR",
            "valid_from": "2026-01-01",
            "valid_to": "2029-12-31",
            "minimum": "1.50",
            "maximum": "40",
            "skus": "MUG-BLUE; MUG-RED",
        },
        {
            "customer_ref": "C-1001",
            "service_code": "SHIP",
            "unit_price": "4.90",
            "currency": "EUR",
            "valid_from": "2026-01-01",
            "tiers": _TIERS,
            "conditions": _ABROAD,
        },
    ),
    Kind.ORDERS: (
        {
            "order_number": "SO-1001",
            "customer_ref": "C-1001",
            "order_date": "2026-01-15",
            "status": "shipped",
            "reference_number": "PO-77",
            "ship_to_name": "Jane Example",
            "ship_to_address": "Example Road 2",
            "ship_to_city": "Paris",
            "ship_to_postal_code": "75001",
            "ship_to_country": "FR",
            "carrier": "DHL",
            "weight": "2.5",
            "packages": "1",
            "notes": "Leave at the door",
        },
    ),
    Kind.ORDER_ITEMS: ({"order_number": "SO-1001", "sku": "MUG-BLUE", "quantity": "3"},),
    Kind.PLANS: (
        {
            "plan_code": "PRO",
            "name": "Pro",
            "currency": "EUR",
            "price": "49.00",
            "interval": "month",
            "included_calls": "10000",
            "price_per_call": "0.0025",
        },
    ),
    Kind.CUSTOMER_PLANS: ({"customer_ref": "C-1001", "plan_code": "PRO", "valid_from": "2026-01-01"},),
    Kind.PROMO_CODES: (
        {
            "code": "WELCOME10",
            "plan_code": "PRO",
            "percent": "10",
            "duration": "periods",
            "periods": "3",
            "limit": "100",
            "limit_per_customer": "1",
            "valid_to": "2029-12-31",
        },
    ),
    Kind.USAGE: (
        {
            "event_id": "evt-1001",
            "customer_ref": "C-1001",
            "time": "2026-01-15T10:30:00Z",
            "meter": "api_calls",
            "user": "jane",
            "endpoint": "/v1/search",
            "response_time": "0.12",
            "quantity": "1",
        },
    ),
}


def header(kind: Kind) -> tuple[str, ...]:
    """The names of the kind's columns, all of them."""
    return tuple(field.name for field in DEFINITIONS[kind].fields)


def rows(kind: Kind) -> list[tuple[str, ...]]:
    """The example rows, each as wide as the header."""
    return [tuple(row.get(name, "") for name in header(kind)) for row in _FILLED[kind]]
