"""What a schema cannot say of a request: rules between fields, and what exists.

schemathesis loads this, and brings each request that the description allows in line with it, so that every such
request can be expected to work.
"""

import json
import os
import re
import uuid
from typing import Any

import schemathesis

# There is one such, in a business that the test names.
CUSTOMER = 123
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# Fields that come in pairs, the earlier first.
PAIRS = (("start_date", "end_date"), ("issued_date", "due_date"))
MOST_LINES = 5
LINES = "application/x-ndjson"


@schemathesis.serializer(LINES)
def as_it_is(_context: Any, value: Any) -> bytes:
    """The description calls these bodies a text."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """A case that the description does not allow stays as wrong as it is."""
    if case.meta is None or case.meta.generation.mode.is_negative:
        if case.operation.path == "/api/v1/usage/events" and "atomic" not in (case.query or {}):
            # Otherwise the good ones beside a wrong event are kept.
            case.query = {**(case.query or {}), "atomic": "true"}
        return
    if isinstance(case.query, dict) and not case.operation.path.endswith("/daily"):
        # The id of what there is in the list; a made one names nothing.
        case.query.pop("starting_after", None)
        if case.operation.path == "/v1/billing/promo-codes":
            case.query.pop("plan_id", None)
    if "/analytics/" in case.operation.path and isinstance(case.query, dict):
        _bring_period_in_line(case.query)
    if case.media_type == LINES and isinstance(case.body, str):
        # What a line is, no schema says: as many events as there were lines.
        events = [_event_in_line({}, place) for place, _ in enumerate(case.body.split("\n"))]
        case.body = "\n".join(map(json.dumps, events))
    if isinstance(case.body, dict):
        if case.operation.path.startswith("/api/v1/imports"):
            _bring_import_in_line(case.body)
        elif case.operation.path == "/v1/billing/invoice":
            _bring_open_invoice_in_line(case.body)
        elif case.operation.path == "/v1/billing/subscribe":
            _bring_subscription_in_line(case.body)
        elif case.operation.path.startswith("/v1/billing/subscriptions/"):
            _bring_change_in_line(case.body, case.operation.path.partition("{id}/")[2])
        elif case.operation.path == "/v1/billing/promo-codes":
            _bring_promo_code_in_line(case.body)
        else:
            _bring_body_in_line(case.body, changes=case.method == "PATCH")


def _bring_period_in_line(query: dict[str, Any]) -> None:
    """Within a page of days, and over by now."""
    for name, year in (("billing_period_start", "2021"), ("billing_period_end", "2022")):
        if isinstance(query.get(name), str) and DAY.match(query[name]):
            query[name] = f"{year}{query[name][4:8]}{min(int(query[name][8:10]), 28):02}{query[name][10:]}"
    if "billing_period_start" not in query:
        query.pop("billing_period_end", None)


def _bring_body_in_line(body: dict[str, Any], *, changes: bool) -> None:
    # As far as periods and papers reach; what is changed is not due before it was issued.
    for name in {name for pair in PAIRS for name in pair} & body.keys():
        if isinstance(body[name], str) and DAY.match(body[name]):
            body[name] = f"{'21' if changes else '20'}{body[name][2:8]}{min(int(body[name][8:10]), 28):02}"
    for earlier, later in PAIRS:
        if isinstance(body.get(earlier), str) and isinstance(body.get(later), str):
            body[earlier], body[later] = sorted((body[earlier], body[later]))
    if not changes and not body.get("issued_date"):
        # It would have to lie after today.
        body.pop("due_date", None)
    if body.get("invoice_number"):
        body["invoice_number"] = re.sub(r"[\W_]", "", body["invoice_number"]) or None
    if "business_id" in body:
        body["business_id"] = os.environ["BUSINESS_ID"]
    if "customer_id" in body:
        body["customer_id"] = CUSTOMER
    if "threshold" in body:
        _bring_alert_in_line(body)
    if "reason" in body:
        body["reason"] = re.sub(r"[^ -~]", "", body["reason"]).strip() or "Because"
    if "amount" in body:
        body["amount"] = _whole(body["amount"])
    if body.get("top_up"):
        below, up_to = sorted(_whole(body["top_up"][name]) for name in ("below", "up_to"))
        body["top_up"] |= {"below": below, "up_to": up_to}
    if body.get("expires_on"):
        body["expires_on"] = "2100-01-01"
    if "events" in body:
        body["events"] = [_event_in_line(event, place) for place, event in enumerate(body["events"])]
    if "line_items" in body:
        body["line_items"] = [_in_line(line) for line in body["line_items"][:MOST_LINES]]
        body |= _discounted(body)


def _bring_open_invoice_in_line(body: dict[str, Any]) -> None:
    """Of a customer that there is, due on a day that there is, and of no subscription."""
    body["customer_id"] = os.environ["CUSTOMER_ID"]
    body.pop("subscription_id", None)
    if isinstance(body.get("due_date"), str):
        body["due_date"] = f"20{body['due_date'][2:8]}{min(int(body['due_date'][8:10]), 28):02}"
    for line in body["line_items"]:
        line |= {name: min(line[name], 1_000) for name in ("amount", "quantity") if name in line}
        line["description"] = line["description"] if line["description"].strip() else "Something"


def _bring_subscription_in_line(body: dict[str, Any]) -> None:
    """Of a customer and a plan that there are, by a card that is not refused."""
    body |= {"customer_id": os.environ["CUSTOMER_ID"], "plan_id": "plan_pro", "payment_method_id": "pm_card_visa"}
    for name in ("promo_code", "seats", "add_ons"):
        body.pop(name, None)


def _bring_change_in_line(body: dict[str, Any], verb: str) -> None:
    """To a plan that there is not: whether terms go together, and change anything, no schema says."""
    if verb == "payment-method":
        body["payment_method_id"] = "pm_card_visa"
    elif verb.startswith("cancel"):
        body["reason"] = re.sub(r"[^ -~]", "", body.get("reason", ""))
    else:
        body["plan_id"] = "plan_none"
        for name in ("add_ons", "token"):
            body.pop(name, None)


def _bring_promo_code_in_line(body: dict[str, Any]) -> None:
    """A code that is not taken, of every plan, that takes either a percent or an amount."""
    body |= {"code": f"CODE-{uuid.uuid4()}", "plan_id": None}
    if body.get("percent"):
        body |= {"percent": max(round(body["percent"], 4), 0.0001), "amount": None, "currency": None}
    else:
        body |= {"amount": min(body.get("amount") or 1, 1_000), "currency": "USD", "percent": None}
    body["periods"] = (body.get("periods") or 1) if body.get("duration") == "periods" else None
    if isinstance(body.get("valid_to"), str):
        body["valid_to"] = f"20{body['valid_to'][2:8]}{min(int(body['valid_to'][8:10]), 28):02}"


def _bring_import_in_line(body: dict[str, Any]) -> None:
    """Without what has a form of its own, or names what the file holds."""
    left_out = body.keys() - {"file", "when_certain", "token", "lines", "repeats"}
    for name in left_out:
        del body[name]
    if left_out and "file" in body:
        # A body that was changed is held against the description again, by which bytes are no text, and so wrong.
        body["file"] = "customer_ref,name\nACME,Acme Inc\n"


def _whole(amount: float) -> float:
    """As every currency can have it."""
    return max(_rounded(amount, 0), 1)


def _bring_alert_in_line(body: dict[str, Any]) -> None:
    """A whole threshold, of everybody's usage; of a cost in a currency that there is."""
    body["threshold"] = max(1, min(int(body["threshold"]), 10_000))
    body |= {name: value for name, value in {"currency": "USD", "recipients": []}.items() if name in body}
    if "measure" in body:
        body |= {"organization_id": None, "currency": "USD" if body["measure"] == "cost" else None}


def _event_in_line(event: dict[str, Any], place: int) -> dict[str, Any]:
    """An event of this very request, of an organization and a meter that there are, with texts of one line."""
    texts = {name: re.sub(r"[^ -~]", "", event[name]) for name in ("user", "endpoint") if event.get(name)}
    numbers = {name: round(event[name], 6) for name in ("quantity", "response_time") if event.get(name)}
    kept = {name: value for name, value in event.items() if name not in ("organization_id", "meter", "properties")}
    told = {"id": f"{uuid.uuid4()}-{place}", "customer_ref": "123", "time": "2024-02-15T10:00:00Z"}
    return kept | texts | numbers | told


def _in_line(line: dict[str, Any]) -> dict[str, Any]:
    """A line that comes to something and less than the most, with as many digits as we keep, and says something."""
    line = line | {
        "description": line["description"] if line["description"].strip() else "Something",
        "quantity": _rounded(line["quantity"], 6) or 1,
        "unit_price": _rounded(abs(line["unit_price"]), 6),
    }
    return _discounted(line | ({"tax_rate": _rounded(line["tax_rate"], 4)} if line.get("tax_rate") else {}))


def _discounted(body: dict[str, Any]) -> dict[str, Any]:
    """By one discount, which is no more than there is."""
    if "discount_amount" in body:
        body = body | {"discount_amount": None}
    return body | ({"discount_percent": _rounded(body["discount_percent"], 4)} if body.get("discount_percent") else {})


def _rounded(number: float, places: int) -> float:
    return min(round(number, places), 100_000)
