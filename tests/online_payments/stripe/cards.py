"""Cards that the stand-in for Stripe keeps for customers, and what comes of charging them without the customer.

The documented test methods make a card each; which it was stands in ``books.cards``.
"""

from tests.online_payments.stripe.books import Books
from tests.online_payments.stripe.objects import Object, Refused

# (code, the bank's code, message) of those that are refused: when they are to be kept, or when they are charged.
DECLINED = ("card_declined", "generic_decline", "Your card was declined.")
AUTHENTICATE = (
    *("authentication_required", "authentication_required"),
    "Your card was declined. This transaction requires authentication.",
)
LOST = ("card_declined", "lost_card", "Your card was declined.")
NOT_KEPT = {"pm_card_visa_chargeDeclined": DECLINED}
NOT_CHARGED = {
    "pm_card_chargeCustomerFail": DECLINED,
    "pm_card_authenticationRequired": AUTHENTICATE,
    "pm_card_lost": LOST,
}


def a_card(books: Books, made_from: str, *, customer: str | None = None, kind: str = "card") -> Object:
    card = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2031} if kind == "card" else None
    method = books.new("payment_method", type=kind, card=card, customer=customer)
    books.cards[method["id"]] = made_from
    return method


def open_setup(books: Books, given: Object) -> Object:
    """Stripe's page for a card."""
    assert given["mode"] == "setup", "the stand-in makes no other pages"
    books.one("customer", given["customer"])
    setup = books.new(
        "setup_intent",
        status="requires_payment_method",
        usage="off_session",
        customer=given["customer"],
        payment_method=None,
        metadata=given["setup_intent_data"]["metadata"],
    )
    session = books.new(
        "checkout.session",
        mode="setup",
        status="open",
        customer=given["customer"],
        setup_intent=setup["id"],
        success_url=given["success_url"],
        url="",
    )
    session["url"] = f"https://checkout.stripe.com/c/pay/{session['id']}"
    return session


def enter(books: Books, session_id: str, made_from: str = "pm_card_visa") -> Object:
    """The customer enters a card on that page; the event of it."""
    session = books.one("checkout.session", session_id)
    setup = books.one("setup_intent", session["setup_intent"])
    card = a_card(books, made_from, customer=session["customer"])
    session["status"], setup["status"], setup["payment_method"] = "complete", "succeeded", card["id"]
    return books.tell("setup_intent.succeeded", setup)


def attach(books: Books, given: Object, method_id: str) -> Object:
    books.one("customer", given["customer"])
    if method_id in NOT_KEPT:
        raise _refused(NOT_KEPT[method_id])
    if method_id.startswith("pm_card_"):
        return a_card(books, method_id, customer=given["customer"])
    method = books.one("payment_method", method_id)
    if method["customer"] is not None:
        raise Refused("The payment method you provided has already been attached to a customer.")
    method["customer"] = given["customer"]
    return method


def detach(books: Books, _given: Object, method_id: str) -> Object:
    method = books.one("payment_method", method_id)
    if method["customer"] is None:
        raise Refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    method["customer"] = None
    return method


def charge(books: Books, given: Object) -> Object:
    assert (given["confirm"], given["off_session"]) == ("true", "true"), "the stand-in charges at once or not at all"
    method = books.one("payment_method", given["payment_method"])
    if method["customer"] != given["customer"]:
        raise Refused("The PaymentMethod does not belong to the Customer you supplied.")
    intent = books.intent(int(given["amount"]), given["currency"], given["metadata"], customer=given["customer"])
    refusal = NOT_CHARGED.get(books.cards[method["id"]])
    if refusal is None:
        made = books.charge(intent)
        for kind, about in (("charge.succeeded", made), ("payment_intent.succeeded", intent)):
            books.tell(kind, about)
        return intent
    code, decline_code, message = refusal
    error = {"type": "card_error", "code": code, "decline_code": decline_code, "message": message}
    intent |= {"status": "requires_payment_method", "amount_received": 0, "last_payment_error": error}
    books.objects[intent["id"]] = intent
    books.tell("payment_intent.payment_failed", intent)
    raise _refused(refusal, payment_intent=intent)


def _refused(why: tuple[str, str, str], **more: Object) -> Refused:
    code, decline_code, message = why
    return Refused(message, status=402, code=code, kind="card_error", decline_code=decline_code, **more)
