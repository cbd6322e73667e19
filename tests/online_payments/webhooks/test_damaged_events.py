"""Events with shapes that the gateway never sends: each is refused or ends with its reason, and keeps none waiting."""

import copy
import itertools
import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_core.errors import Invalid
from billing_core.online_payments.models import WebhookState
from billing_core.online_payments.webhooks import events, inbox
from billing_core.online_payments.webhooks.events import fact_of
from tests.online_payments.linked import BY_LINK, HOSTED, LATER, became, linked, paying, tell
from tests.online_payments.seen import status
from tests.online_payments.stripe.events import Paying, event

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FAILED = WebhookState.FAILED
# Half a surrogate pair, NUL, numbers that no column holds, nothing, and each type where another belongs.
WRONG = (
    *(None, [], {}, "", "\ud800", "a\0b", "x" * 300, "\u202e", 0, 7, -1, 10**17, 10**40, 1.5, -0.0),
    *(True, False, [None], [[]], ["\ud800"], {"id": 5}, {"id": "\0"}, {"data": 1}, {"data": [1]}, {"metadata": []}),
)
GONE = object()
REFS = itertools.count()


def told(by_link: Paying, hosted: Paying) -> list[dict]:
    """At least one event of each type that is read, with every field that is."""
    lines = [{"currency": "eur", "fee": 1_500}, {"currency": "eur", "fee": -1_500}]
    payments = {"data": [{"payment": {"type": "payment_intent", "payment_intent": hosted.intent_id}}]}
    error = {"message": "No.", "decline_code": "lost_card"}
    card = {"id": "seti_1", "metadata": {"request_id": "crq_1"}, "payment_method": "pm_1", "customer": {"id": "cus_1"}}
    return [
        *(by_link.succeeded(), by_link.failed(code="lost_card"), by_link.charged(), by_link.refunded(2_500)),
        *(by_link.completed(), by_link.async_succeeded(), by_link.async_failed(), by_link.expired()),
        *(by_link.refund_failed(2_500), by_link.refund_updated(2_500, "canceled")),
        *(by_link.disputed(balance_transactions=lines), by_link.dispute_closed(charge={"id": by_link.charge_id})),
        *(event(f"charge.dispute.{what}", by_link.dispute()) for what in ("updated", "funds_withdrawn")),
        event("charge.dispute.funds_reinstated", by_link.dispute("won")),
        hosted.invoice_paid(payments=payments),
        hosted.invoice_paid(paid_out_of_band=True, charge=None, payment_intent=None),
        event("invoice.payment_failed", hosted.invoice(amount_paid=0, last_payment_error=error)),
        event("setup_intent.succeeded", card),
    ]


def places(thing: object, path: tuple = ()) -> list[tuple]:
    """Where something can be damaged: the path of each value."""
    inside = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    return [path, *(place for name, value in inside for place in places(value, (*path, name)))]


def damaged(whole: dict, place: tuple, value: object) -> dict:
    whole = copy.deepcopy(whole)
    parent = whole
    for name in place[:-1]:
        parent = parent[name]
    if value is GONE:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return whole


BY = Paying(metadata={"link_id": "lnk_1", "invoice_id": "inv_1", "attempt_id": "att_1"}, link="plink_1")
SENT = Paying(metadata={"link_id": "lnk_2", "invoice_id": "inv_2"}, hosted="in_2")


def test_every_type_that_is_acted_upon_is_damaged_here():
    assert {one["type"] for one in told(BY, SENT)} == set(events.HANDLED)


@pytest.mark.parametrize("whole", told(BY, SENT), ids=lambda one: one["type"])
def test_whatever_stands_in_any_place_an_event_is_read_or_refused(whole):
    for place in places(whole):
        for value in (*WRONG, GONE):
            if not place or (place == ("type",) and not isinstance(value, str)):
                continue
            wrong = damaged(whole, place, value)
            with suppress(Invalid):
                inbox.row_of(wrong, json.dumps(wrong).encode(), LATER)
                # What it names fits our columns.
                repr(fact_of(wrong)).encode()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(("eur", "jpy", "paid", "succeeded", "canceled", "won", "pi_1", "in_1")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@on_sqlite
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_event_ends_with_its_reason_and_the_next_one_is_applied(sessions, data):
    with sessions.begin() as session:
        ref = f"C{next(REFS)}"
        of_link, link = linked(session, ref=f"{ref}a", way=BY_LINK)
        of_page, page = linked(session, ref=f"{ref}b", way=HOSTED)
    by_link, hosted = paying(link, of_link), paying(page, of_page)
    whole = data.draw(st.sampled_from(told(by_link, hosted)))
    place = data.draw(st.sampled_from([one for one in places(whole["data"]) if one]))
    value = data.draw(st.sampled_from((*WRONG, GONE)) | JSON)
    wrong = whole | {"data": damaged(whole["data"], place, value)}
    right = event("price.created", {"id": "price_1"})

    tell(sessions, wrong, right)

    assert became(sessions, right).state is WebhookState.IGNORED
    ended = became(sessions, wrong)
    assert ended.state in (WebhookState.HANDLED, WebhookState.IGNORED, FAILED)
    assert "Something went wrong on our side" not in ended.last_error
    assert ended.last_error if ended.state is FAILED else ended.outcome


@pytest.mark.parametrize("currency", ["\ud800", "e\0r", "zzz"])
def test_why_an_event_failed_can_be_kept_whatever_it_repeats(sessions, currency):
    with sessions.begin() as session:
        invoice, link = linked(session)
    wrong, right = paying(link, invoice, currency=currency).succeeded(), paying(link, invoice).succeeded()

    tell(sessions, wrong, right)

    assert became(sessions, wrong).state is FAILED
    assert "currency" in became(sessions, wrong).last_error
    assert status(sessions, invoice) == "paid"


@on_sqlite
def test_an_amount_is_in_the_units_of_its_currency_however_that_is_written(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session, currency="JPY")
    tell(sessions, paying(link, invoice, amount=link.amount_minor, currency=" jpy ").succeeded())
    assert status(sessions, invoice) == "paid"
