"""Where an answer leads: which operation takes what from it, for programs that find their way by the description."""

from typing import Any

_INVOICE = "$response.body#/invoice_id"
_SAME_INVOICE = "$request.path.id"
_FIRST_LISTED = "$response.body#/invoices/0/invoice_id"
_ETAG = "$response.header.ETag"


def _link(operation: str, text: str, **parameters: str) -> dict[str, Any]:
    return {"operationId": operation, "description": text, "parameters": parameters}


def _report(plain: str, envelope: str) -> dict[str, Any]:
    """To a report, by where its id stands in the answers of the two dialects."""
    return {
        "report": _link("get_report", "All of the report, in the plain dialect", id=plain),
        "report_in_envelope": _link("get_report", "All of the report, in the envelope dialect", id=envelope),
        "file": _link("download_report", "The report as a file, in the plain dialect", id=plain),
        "file_in_envelope": _link("download_report", "The report as a file, in the envelope dialect", id=envelope),
    }


_ORGANIZATION = "$response.body#/organizations/0/id"
_SAME_ORGANIZATION = "$request.path.org_id"
_FIRST_EVENT = "$response.body#/events/0/id"

# By operation and status.
LINKS: dict[tuple[str, str], dict[str, Any]] = {
    ("list_reports", "200"): _report("$response.body#/0/id", "$response.body#/data/0/id"),
    ("generate_report", "201"): _report("$response.body#/id", "$response.body#/data/id"),
    ("summarize_customers", "200"): {
        "reports": _link(
            "list_reports", "The customer's reports, in the plain dialect", customer_id="$response.body#/0/customer_id"
        ),
        "reports_in_envelope": _link(
            "list_reports",
            "The customer's reports, in the envelope dialect",
            customer_id="$response.body#/data/0/customer_id",
        ),
    },
    ("list_businesses", "200"): {
        "invoices": _link(
            "list_invoices", "What the business has issued", business_id="$response.body#/businesses/0/business_id"
        ),
    },
    ("create_invoice", "201"): {
        "invoice": _link("get_invoice", "The invoice", id=_INVOICE),
        "change": _link("update_invoice", "Change it, unless somebody else did", **{"id": _INVOICE, "If-Match": _ETAG}),
        "cancel": _link("cancel_invoice", "Cancel it", id=_INVOICE),
        "payment_link": _link("create_payment_link", "Have it paid online", id=_INVOICE),
    },
    ("list_invoices", "200"): {
        "invoice": _link("get_invoice", "One of them with its lines", id=_FIRST_LISTED),
        "following": _link(
            "list_invoices",
            "Those that follow one of them",
            business_id="$response.body#/business_id",
            starting_after=_FIRST_LISTED,
        ),
    },
    ("get_invoice", "200"): {
        "unchanged": _link("get_invoice", "304 while it is the same", **{"id": _INVOICE, "If-None-Match": _ETAG}),
        "change": _link("update_invoice", "Change it, unless somebody else did", **{"id": _INVOICE, "If-Match": _ETAG}),
        "cancel": _link("cancel_invoice", "Cancel it, unless it changed", **{"id": _INVOICE, "If-Match": _ETAG}),
        "payment_link": _link("get_payment_link", "Where it is paid", id=_INVOICE),
    },
    ("update_invoice", "200"): {
        "invoice": _link("get_invoice", "The invoice as it is now", id=_INVOICE),
        "payment_link": _link("create_payment_link", "Have it paid online", id=_INVOICE),
    },
    ("cancel_invoice", "200"): {"invoice": _link("get_invoice", "The cancelled invoice", id=_INVOICE)},
    ("create_payment_link", "201"): {
        "payment_link": _link("get_payment_link", "The link again", id=_SAME_INVOICE),
        "invoice": _link("get_invoice", "The invoice, which is open now", id=_SAME_INVOICE),
        "cancel": _link("cancel_invoice", "Cancel the invoice, and the link with it", id=_SAME_INVOICE),
    },
    ("create_promo_code", "201"): {
        "promo_code": _link("get_promo_code", "The code, and how often it is redeemed", code="$response.body#/code"),
        "end": _link("end_promo_code", "End it early", code="$response.body#/code"),
    },
    ("list_promo_codes", "200"): {
        "promo_code": _link("get_promo_code", "One of them", code="$response.body#/promo_codes/0/code"),
        "following": _link(
            "list_promo_codes", "Those that follow one of them", starting_after="$response.body#/promo_codes/0/code"
        ),
    },
    ("get_promo_code", "200"): {"end": _link("end_promo_code", "End it early", code="$request.path.code")},
    ("list_organizations", "200"): {
        "invoice": _link("get_usage_invoice", "The document of its usage this month", org_id=_ORGANIZATION),
        "usage": _link("get_organization_usage", "What it used this month", org_id=_ORGANIZATION),
        "billing": _link("get_organization_billing", "What that costs", org_id=_ORGANIZATION),
        "events": _link("list_usage_events", "Each event of it", org_id=_ORGANIZATION),
        "days": _link("list_usage_days", "What it used on each day", org_id=_ORGANIZATION),
        "following": _link("list_organizations", "Those that follow it", starting_after=_ORGANIZATION),
    },
    ("list_usage_events", "200"): {
        "following": _link(
            "list_usage_events",
            "Those that follow one of them",
            org_id=_SAME_ORGANIZATION,
            starting_after=_FIRST_EVENT,
        ),
        "withdraw": _link("withdraw_usage_event", "Take one back", org_id=_SAME_ORGANIZATION, id=_FIRST_EVENT),
    },
    ("list_usage_days", "200"): {
        "following": _link(
            "list_usage_days",
            "Those that follow one of them",
            org_id=_SAME_ORGANIZATION,
            starting_after="$response.body#/days/0/date",
        ),
        "events": _link("list_usage_events", "Each event behind them", org_id=_SAME_ORGANIZATION),
    },
    ("get_organization_usage", "200"): {
        "billing": _link("get_organization_billing", "What that costs", org_id=_SAME_ORGANIZATION),
        "days": _link("list_usage_days", "The same by day", org_id=_SAME_ORGANIZATION),
    },
    ("get_organization_billing", "200"): {
        "invoice": _link("get_usage_invoice", "The document with both", org_id=_SAME_ORGANIZATION),
    },
    ("get_usage_invoice", "200"): {
        "events": _link("list_usage_events", "Each event behind it", org_id=_SAME_ORGANIZATION),
    },
    ("record_usage_events", "200"): {"late": _link("list_late_events", "What came late, of these and of others")},
    ("list_late_events", "200"): {
        "withdraw": _link(
            "withdraw_usage_event", "Take one back", org_id="$response.body#/events/0/organization_id", id=_FIRST_EVENT
        ),
    },
    ("withdraw_usage_event", "200"): {
        "usage": _link(
            "get_organization_usage", "What the organization used without it", org_id="$response.body#/organization_id"
        ),
    },
    ("get_payment_link", "200"): {"invoice": _link("get_invoice", "What is paid there", id=_SAME_INVOICE)},
}
