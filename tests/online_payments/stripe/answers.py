"""Every address of Stripe that we use: whose parameters it takes, and what it does in the stand-in's books."""

import json
from collections.abc import Callable
from typing import Any

from stripe import params
from stripe.params import checkout

from tests.online_payments.stripe import cards
from tests.online_payments.stripe.books import Books
from tests.online_payments.stripe.objects import Object, Refused

_ZERO_DECIMAL = {
    "bif",
    "clp",
    "djf",
    "gnf",
    "jpy",
    "kmf",
    "krw",
    "mga",
    "pyg",
    "rwf",
    "vnd",
    "vuv",
    "xaf",
    "xof",
    "xpf",
}
_THREE_DECIMAL = {"bhd", "jod", "kwd", "omr", "tnd"}


def create_link(books: Books, given: Object) -> Object:
    lines = given["line_items"]
    if not 1 <= len(lines) <= 20:
        raise Refused("You can only have up to 20 line items.")
    for line in lines:
        line["quantity"] = int(line["quantity"])
        line["price_data"]["unit_amount"] = _amount(line["price_data"]["unit_amount"], line["price_data"]["currency"])
    (currency,) = {line["price_data"]["currency"] for line in lines}
    if (
        sum(line["quantity"] * line["price_data"]["unit_amount"] for line in lines) < 50
        and currency not in _ZERO_DECIMAL
    ):
        raise Refused("The total amount must convert to at least 50 cents.", code="amount_too_small")
    limit = int(given.get("restrictions", {}).get("completed_sessions", {}).get("limit", 10**9))
    link = books.new(
        "payment_link",
        active=True,
        currency=currency,
        metadata=given.get("metadata", {}),
        line_items=lines,
        payment_intent_data=given.get("payment_intent_data") or {"metadata": {}},
        invoice_creation=given.get("invoice_creation") or {"enabled": False},
        restrictions={"completed_sessions": {"limit": limit, "count": 0}},
        after_completion=given.get("after_completion", {"type": "hosted_confirmation"}),
        url="",
    )
    link["url"] = f"https://buy.stripe.com/test_{link['id'].removeprefix('plink_')}"
    return shown(link)


def update_link(books: Books, given: Object, identity: str) -> Object:
    link = books.one("payment_link", identity)
    link["active"] = given.get("active", str(link["active"]).lower()) == "true"
    return shown(link)


def shown(link: Object) -> Object:
    """Line items come only where they are asked for, and then otherwise."""
    return {name: value for name, value in link.items() if name != "line_items"}


def sessions(books: Books, given: Object) -> Object:
    wanted = {name: given[name] for name in ("payment_link", "status", "payment_intent") if name in given}
    return _page(_matching(books.all("checkout.session"), wanted), given, "/v1/checkout/sessions")


def expire_session(books: Books, given: Object, identity: str) -> Object:
    session = books.one("checkout.session", identity)
    if session["status"] != "open":
        raise Refused('Only Checkout Sessions with a status in ["open"] can be expired.')
    session["status"] = "expired"
    books.tell("checkout.session.expired", session)
    return session


def intents(books: Books, given: Object) -> Object:
    made = _matching(books.all("payment_intent"), {"customer": given["customer"]})
    since = int(given["created"]["gte"])
    return _page([one for one in made if one["created"] >= since], given, "/v1/payment_intents")


def create_customer(books: Books, given: Object) -> Object:
    return books.new("customer", **given)


def create_invoice(books: Books, given: Object) -> Object:
    books.one("customer", given["customer"])
    if given["collection_method"] == "send_invoice" and not ({"due_date", "days_until_due"} & given.keys()):
        raise Refused("You must provide due_date or days_until_due with collection_method send_invoice.")
    given.pop("pending_invoice_items_behavior", None)
    fields = given | {"due_date": int(given["due_date"]), "auto_advance": given.get("auto_advance") == "true"}
    return books.new(
        "invoice",
        **fields,
        status="draft",
        amount_due=0,
        amount_paid=0,
        amount_remaining=0,
        total=0,
        hosted_invoice_url=None,
    )


def create_item(books: Books, given: Object) -> Object:
    invoice = books.one("invoice", given["invoice"])
    if invoice["status"] != "draft":
        raise Refused("Invoice items can only be added to draft invoices.")
    if (given["customer"], given["currency"]) != (invoice["customer"], invoice["currency"]):
        raise Refused("The invoice item's customer and currency must be the invoice's.")
    amount = _amount(given["amount"], given["currency"])
    for name in ("amount_due", "amount_remaining", "total"):
        invoice[name] += amount
    return books.new("invoiceitem", **(given | {"amount": amount}))


def finalize(books: Books, given: Object, identity: str) -> Object:
    invoice = books.one("invoice", identity)
    if invoice["status"] != "draft":
        raise Refused("This invoice is already finalized, you can't re-finalize it.", code="invoice_not_editable")
    invoice |= {"status": "open", "number": f"STRIPE-{len(books.objects)}"}
    invoice["hosted_invoice_url"] = f"https://invoice.stripe.com/i/acct_standin/test_{identity}"
    books.objects[identity] = invoice
    books.tell("invoice.finalized", invoice)
    return invoice


def void(books: Books, given: Object, identity: str) -> Object:
    invoice = books.one("invoice", identity)
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refused(f"You can only void open invoices: this one is {invoice['status']}.")
    invoice["status"] = "void"
    books.tell("invoice.voided", invoice)
    return invoice


def delete_invoice(books: Books, given: Object, identity: str) -> Object:
    if books.one("invoice", identity)["status"] != "draft":
        raise Refused("You can only delete draft invoices.")
    del books.objects[identity]
    return {"id": identity, "object": "invoice", "deleted": True}


def invoice_payments(books: Books, given: Object) -> Object:
    wanted = {name: given[name] for name in ("invoice", "status") if name in given}
    return _page(_matching(books.all("invoice_payment"), wanted), given, "/v1/invoice_payments")


def create_refund(books: Books, given: Object) -> Object:
    amount = int(given["amount"]) if "amount" in given else None
    intent = given.get("payment_intent") or books.one("charge", given["charge"])["payment_intent"]
    return books.refund(intent, amount, given.get("metadata", {}))


def refunds(books: Books, given: Object) -> Object:
    wanted = {name: given[name] for name in ("payment_intent", "charge") if name in given}
    return _page(_matching(books.all("refund"), wanted), given, "/v1/refunds")


def balance_transactions(books: Books, given: Object) -> Object:
    created = given.get("created", {})
    first, until = int(created.get("gte", 0)), int(created.get("lt", 10**12))
    found = [one for one in books.all("balance_transaction") if first <= one["created"] < until]
    found.sort(key=lambda one: one["created"], reverse=True)
    return _page(found, given, "/v1/balance_transactions")


def account(books: Books, given: Object) -> Object:
    return books.account


def _one(kind: str) -> Callable[..., Object]:
    return lambda books, given, identity: books.one(kind, identity)


ROUTES: dict[tuple[str, str], tuple[type, Callable[..., Object]]] = {
    ("POST", "/v1/payment_links"): (params.PaymentLinkCreateParams, create_link),
    ("POST", "/v1/payment_links/([^/]+)"): (params.PaymentLinkUpdateParams, update_link),
    ("GET", "/v1/checkout/sessions"): (checkout.SessionListParams, sessions),
    ("GET", "/v1/checkout/sessions/([^/]+)"): (checkout.SessionRetrieveParams, _one("checkout.session")),
    ("POST", "/v1/checkout/sessions/([^/]+)/expire"): (checkout.SessionExpireParams, expire_session),
    ("POST", "/v1/customers"): (params.CustomerCreateParams, create_customer),
    ("POST", "/v1/invoices"): (params.InvoiceCreateParams, create_invoice),
    ("GET", "/v1/invoices/([^/]+)"): (params.InvoiceRetrieveParams, _one("invoice")),
    ("DELETE", "/v1/invoices/([^/]+)"): (params.InvoiceDeleteParams, delete_invoice),
    ("POST", "/v1/invoices/([^/]+)/finalize"): (params.InvoiceFinalizeInvoiceParams, finalize),
    ("POST", "/v1/invoices/([^/]+)/void"): (params.InvoiceVoidInvoiceParams, void),
    ("POST", "/v1/invoiceitems"): (params.InvoiceItemCreateParams, create_item),
    ("GET", "/v1/invoice_payments"): (params.InvoicePaymentListParams, invoice_payments),
    ("POST", "/v1/checkout/sessions"): (checkout.SessionCreateParams, cards.open_setup),
    ("POST", "/v1/payment_methods/([^/]+)/attach"): (params.PaymentMethodAttachParams, cards.attach),
    ("POST", "/v1/payment_methods/([^/]+)/detach"): (params.PaymentMethodDetachParams, cards.detach),
    ("GET", "/v1/payment_methods/([^/]+)"): (params.PaymentMethodRetrieveParams, _one("payment_method")),
    ("POST", "/v1/payment_intents"): (params.PaymentIntentCreateParams, cards.charge),
    ("GET", "/v1/payment_intents"): (params.PaymentIntentListParams, intents),
    ("GET", "/v1/payment_intents/([^/]+)"): (params.PaymentIntentRetrieveParams, _one("payment_intent")),
    ("GET", "/v1/refunds"): (params.RefundListParams, refunds),
    ("POST", "/v1/refunds"): (params.RefundCreateParams, create_refund),
    ("GET", "/v1/balance_transactions"): (params.BalanceTransactionListParams, balance_transactions),
    ("GET", "/v1/account"): (params.AccountRetrieveCurrentParams, account),
}


def expanded(books: Books, answer: Object, paths: list[str]) -> Object:
    """The answer as it is now, with the objects in place of their ids where that was asked for."""
    made: Object = json.loads(json.dumps(answer))
    for path in sorted(paths):
        if path.count(".") > 3:
            raise Refused("You cannot expand more than 4 levels of a property.")
        _expand(books, made, path.split("."))
    return made


def _expand(books: Books, place: Any, path: list[str]) -> None:
    if isinstance(place, list):
        for one in place:
            _expand(books, one, path)
        return
    if place is None:
        return
    if path[0] not in place:
        raise Refused(f"This property cannot be expanded ({path[0]}).")
    if isinstance(place[path[0]], str):
        place[path[0]] = json.loads(json.dumps(books.objects[place[path[0]]]))
    if path[1:]:
        _expand(books, place[path[0]], path[1:])


def _amount(text: str, currency: str) -> int:
    amount = int(text)
    if currency in _THREE_DECIMAL and amount % 10:
        raise Refused("Amounts in three-decimal currencies must end in 0.", code="parameter_invalid_integer")
    if currency in ("isk", "ugx") and amount % 100:
        raise Refused("Amounts in this currency must be divisible by 100.", code="parameter_invalid_integer")
    return amount


def _matching(found: list[Object], wanted: Object) -> list[Object]:
    return [one for one in found if all(one.get(name) == value for name, value in wanted.items())]


def _page(found: list[Object], given: Object, url: str) -> Object:
    ids = [one["id"] for one in found]
    start = ids.index(given["starting_after"]) + 1 if "starting_after" in given else 0
    limit = int(given.get("limit", 10))
    if not 1 <= limit <= 100:
        raise Refused("This value must be between 1 and 100.")
    return {"object": "list", "url": url, "data": found[start : start + limit], "has_more": start + limit < len(found)}
