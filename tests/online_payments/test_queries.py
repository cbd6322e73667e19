"""What is shown of received events, cases and disputes: each filter, each order, each page, and to whom."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event as listening

from billing_core import figures
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.money import Money
from billing_core.online_payments import cases, queries
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.figures import FAILED_EVENTS, OPEN_CASES, OPEN_DISPUTES
from billing_core.online_payments.models import (
    CaseKind,
    Dispute,
    DisputeState,
    WebhookEvent,
    WebhookRefusal,
    WebhookState,
)
from billing_core.online_payments.queries import EventFilter
from tests.invoices.company import GRACE, READER
from tests.payments.books import NOW, a_customer, an_open_invoice, pay

HANDLED, FAILED, WAITING = WebhookState.HANDLED, WebhookState.FAILED, WebhookState.WAITING
HOUR = timedelta(hours=1)


def an_event(session, number=1, **facts) -> int:
    known = {
        "event_id": f"evt_{number}",
        "type": "payment_intent.succeeded",
        "livemode": False,
        "created_at": NOW,
        "received_at": NOW,
        "payload": f'{{"charge": "ch_{number}"}}',
        "state": HANDLED,
        "not_before": NOW,
    }
    found = WebhookEvent(**known | facts)
    session.add(found)
    session.flush()
    return found.id


def event_ids(session, *, limit=50, offset=0, **facts) -> list[int]:
    return [row.id for row in queries.events(session, READER, EventFilter(**facts), limit=limit, offset=offset)]


def test_events_are_found_by_state_type_invoice_and_text(session):
    invoice = an_open_invoice(session, a_customer(session))
    first = an_event(session, 1, state=FAILED, last_error="The books are busy")
    second = an_event(session, 2, type="charge.refunded", invoice_id=invoice.id, outcome="Refunded 5%")
    third = an_event(session, 3, state=WAITING)
    expected = {
        (): [third, second, first],
        (("state", (FAILED,)),): [first],
        (("state", (FAILED, WAITING)),): [third, first],
        (("type", "charge.refunded"),): [second],
        (("invoice_id", invoice.id),): [second],
        (("invoice_id", invoice.id + 1),): [],
        (("text", " evt_3 "),): [third],
        (("text", "evt_"),): [],
        (("text", "BOOKS"),): [first],
        (("text", "5%"),): [second],
        (("text", "ch_2"),): [second],
        (("text", " "),): [third, second, first],
        (("text", "ch_2"), ("state", (FAILED,))): [],
        (("text", "ch_1"), ("state", (FAILED,))): [first],
    }
    assert {wanted: event_ids(session, **dict(wanted)) for wanted in expected} == expected
    for wanted, rows in expected.items():
        assert queries.event_count(session, READER, EventFilter(**dict(wanted))) == len(rows)
    assert queries.event_counts(session, READER) == {HANDLED: 1, FAILED: 1, WAITING: 1, WebhookState.IGNORED: 0}
    row, payload = queries.event(session, READER, second)
    assert (row.id, row.invoice_number, row.outcome, payload) == (
        second,
        invoice.number,
        "Refunded 5%",
        '{"charge": "ch_2"}',
    )
    with pytest.raises(NotFound):
        queries.event(session, READER, third + 1)


def test_fifty_events_are_on_a_page_and_payloads_are_searched_in_the_newest(session, monkeypatch):
    ids = [an_event(session, number) for number in range(51)]
    assert [row.id for row in queries.events(session, READER, EventFilter())] == ids[:0:-1]
    assert event_ids(session, offset=50) == ids[:1]
    assert event_ids(session, limit=2, offset=1) == [ids[49], ids[48]]
    monkeypatch.setattr(queries, "SEARCHED_PAYLOADS", 2)
    assert (event_ids(session, text="ch_50"), event_ids(session, text="ch_49")) == ([ids[50]], [ids[49]])
    assert event_ids(session, text="ch_48") == []
    assert event_ids(session, text="evt_48") == [ids[48]]


def test_no_more_is_counted_or_searched_than_anybody_waits_for(sessions, session):
    limits = []

    def note(_connection, _cursor, _statement, parameters, *_rest):
        limits.extend(parameters.values() if isinstance(parameters, dict) else parameters)

    listening.listen(sessions.engine, "before_cursor_execute", note)
    queries.event_count(session, READER, EventFilter(text="ch_1"))
    listening.remove(sessions.engine, "before_cursor_execute", note)
    assert {10_000, 5_000} <= {value for value in limits if isinstance(value, int)}


def test_when_the_last_event_came(session):
    assert queries.last_received_at(session, READER) is None
    an_event(session, 1, received_at=NOW + HOUR)
    an_event(session, 2, received_at=NOW)
    assert queries.last_received_at(session, READER) == NOW


def test_refused_requests_by_day_and_reason(session):
    days = [date(2026, 3, day) for day in (1, 2, 3)]
    for day in days:
        session.add_all(WebhookRefusal(day=day, reason=reason, requests=day.day) for reason in ("wrong", "old"))
    session.flush()
    assert queries.refused(session, READER, since=days[1]) == [
        *((days[2], "old", 3), (days[2], "wrong", 3), (days[1], "old", 2), (days[1], "wrong", 2)),
    ]
    session.add_all(WebhookRefusal(day=days[2], reason=f"r{number:03}", requests=1) for number in range(500))
    session.flush()
    assert len(queries.refused(session, READER, since=days[0])) == 500


def a_case(session, customer, key="k", **facts) -> int:
    known = {"kind": CaseKind.NOTHING_DUE, "currency": "EUR", "amount_minor": 100_00, "said": "It fits nothing"}
    return cases.open_case(session, GRACE, Cause(key, customer_id=customer.id, **known | facts), now=NOW).id


def case_ids(session, actor=READER, **facts):
    return [row.id for row in queries.cases(session, actor, **facts)]


def test_open_cases_come_from_the_oldest_on_and_settled_ones_from_the_newest(session):
    carla, other = a_customer(session), a_customer(session, "D2")
    first, second, third, theirs = (
        a_case(session, one, f"k{at}") for at, one in enumerate([carla, carla, carla, other])
    )
    assert case_ids(session) == [first, second, third, theirs]
    assert case_ids(session, limit=2, offset=1) == [second, third]
    for case_id, at in ((second, NOW), (first, NOW + HOUR), (third, NOW)):
        cases.settle(session, GRACE, case_id, settlement="Done", now=at)
    assert (case_ids(session), case_ids(session, settled=True)) == ([theirs], [first, third, second])
    assert (queries.case_count(session, READER), queries.case_count(session, READER, settled=True)) == (1, 3)
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=carla.id)
    assert (case_ids(session, bound), queries.case_count(session, bound)) == ([], 0)
    assert queries.case_count(session, bound, settled=True) == 3
    assert figures.count(session, GRACE, OPEN_CASES, Scope()) == 1
    assert figures.count(session, GRACE, OPEN_CASES, Scope(customer_id=carla.id)) == 0
    (row,) = figures.page(session, GRACE, OPEN_CASES, Scope())
    assert row.label == f"{other.name}: It fits nothing"


def test_a_case_says_what_it_is_about(session):
    carla = a_customer(session)
    invoice = an_open_invoice(session, carla)
    a_case(session, carla, invoice_id=invoice.id, expected_minor=90_00)
    (row,) = queries.cases(session, READER)
    assert (row.kind, row.customer_id, row.customer_name) == (CaseKind.NOTHING_DUE, carla.id, carla.name)
    assert (row.invoice_id, row.invoice_number, row.invoice_currency) == (invoice.id, invoice.number, "EUR")
    assert (row.invoice_due_minor, row.amount_minor, row.expected_minor) == (invoice.due_minor, 100_00, 90_00)
    assert (row.business_id, row.payment_id, row.opened_at, row.settled_at) == (invoice.business_id, None, NOW, None)
    assert queries.cases_of_invoice(session, READER, invoice.id) == [row]
    assert queries.cases_of_invoice(session, READER, invoice.id + 1) == []


def test_fifty_cases_are_on_a_page(session):
    carla = a_customer(session)
    invoice = an_open_invoice(session, carla)
    ids = [a_case(session, carla, f"k{number}", invoice_id=invoice.id) for number in range(51)]
    assert case_ids(session) == ids[:50]
    assert case_ids(session, offset=50) == ids[50:]
    assert [row.id for row in queries.cases_of_invoice(session, READER, invoice.id)] == ids[:0:-1]


def test_a_cause_has_one_case_which_is_settled_once(session):
    carla = a_customer(session)
    first = a_case(session, carla, said="x" * 501)
    assert a_case(session, carla, amount_minor=1) == first
    (row,) = queries.cases(session, READER)
    assert (row.said, row.amount_minor) == ("x" * 500, 100_00)
    settled = cases.settle(session, GRACE, first, settlement="  Paid  out ", now=NOW + HOUR)
    assert (settled.settled_at, settled.settled_by, settled.settlement) == (NOW + HOUR, "Grace Hopper", "Paid out")
    with pytest.raises(Conflict, match="Grace Hopper has settled this case already: Paid out"):
        cases.settle(session, GRACE, first, settlement="Again", now=NOW)
    for actor, case_id in ((GRACE, 99), (actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=99), first)):
        with pytest.raises((NotFound, Forbidden)):
            cases.settle(session, actor, case_id, settlement="x", now=NOW)


def test_the_use_of_a_payment_settles_the_cases_of_its_receipt_alone(session):
    carla = a_customer(session)
    payment, other = pay(session, carla, 100_00), pay(session, carla, 100_00)
    of_receipt = [a_case(session, carla, kind.value, kind=kind, payment_id=payment.id) for kind in cases.OF_RECEIPT]
    lost = a_case(session, carla, "lost", kind=CaseKind.DISPUTE_LOST, payment_id=payment.id)
    of_other = a_case(session, carla, "other", payment_id=other.id)
    cases.settle(session, GRACE, of_receipt[0], settlement="By hand", now=NOW)
    cases.settle_of_payment(session, GRACE, payment.id, settlement="Used", now=NOW)
    assert case_ids(session) == [lost, of_other]
    assert {row.settlement for row in queries.cases(session, READER, settled=True)} == {"By hand", "Used"}


def a_dispute(session, payment, number=1, *, state=DisputeState.OPEN, **facts) -> int:
    known = {"currency": "EUR", "amount_minor": 10, "reason": "fraudulent", "opened_at": NOW, "told_at": NOW}
    found = Dispute(gateway_id=f"dp_{number}", payment_id=payment.id, state=state, **known | facts)
    session.add(found)
    session.flush()
    return found.id


def dispute_ids(session, actor=READER, **facts):
    return [row.id for row in queries.disputes(session, actor, **facts)]


def test_disputes_are_found_by_invoice_payment_and_state(session):
    carla, other = a_customer(session), a_customer(session, "D2")
    invoice, meant = an_open_invoice(session, carla), an_open_invoice(session, carla)
    paid = pay(session, carla, 100_00)
    theirs = pay(session, other, 100_00)
    a_case(session, carla, invoice_id=meant.id, payment_id=paid.id)
    first = a_dispute(session, paid, 1)
    second = a_dispute(session, theirs, 2, state=DisputeState.LOST, closed_at=NOW)
    assert dispute_ids(session) == [second, first]
    assert dispute_ids(session, limit=1, offset=1) == [first]
    assert dispute_ids(session, payment_id=theirs.id) == [second]
    assert dispute_ids(session, state=DisputeState.OPEN) == [first]
    assert dispute_ids(session, invoice_id=meant.id) == [first]
    assert dispute_ids(session, invoice_id=invoice.id) == []
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=other.id)
    assert dispute_ids(session, bound) == [second]
    (row,) = queries.disputes(session, READER, payment_id=theirs.id)
    assert (row.gateway_id, row.customer_id, row.customer_name) == ("dp_2", other.id, other.name)
    assert (Money(row.amount_minor, row.currency), row.reason, row.closed_at) == (Money(10, "EUR"), "fraudulent", NOW)
    assert figures.count(session, GRACE, OPEN_DISPUTES, Scope()) == 1
    assert figures.count(session, GRACE, OPEN_DISPUTES, Scope(customer_id=other.id)) == 0


def test_fifty_disputes_are_on_a_page(session):
    payment = pay(session, a_customer(session), 100_00)
    ids = [a_dispute(session, payment, number) for number in range(51)]
    assert dispute_ids(session) == ids[:0:-1]
    assert dispute_ids(session, offset=50) == ids[:1]


def test_the_figure_of_failed_events(session):
    carla = a_customer(session)
    invoice = an_open_invoice(session, carla)
    an_event(
        session, 1, state=FAILED, last_error="busy", invoice_id=invoice.id, received_at=datetime(2026, 3, 9, tzinfo=UTC)
    )
    an_event(session, 2, state=FAILED)
    an_event(session, 3, state=WAITING)
    assert figures.count(session, GRACE, FAILED_EVENTS, Scope()) == 2
    (row,) = figures.page(session, GRACE, FAILED_EVENTS, Scope(customer_id=carla.id))
    assert (row.label, row.date) == ("payment_intent.succeeded: busy", date(2026, 3, 9))


def test_who_is_bound_to_a_customer_sees_no_events(session):
    bound = actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=1)
    reads = [
        lambda: queries.events(session, bound, EventFilter()),
        lambda: queries.event_count(session, bound, EventFilter()),
        lambda: queries.event(session, bound, 1),
        lambda: queries.last_received_at(session, bound),
        lambda: queries.refused(session, bound, since=NOW.date()),
    ]
    for read in reads:
        with pytest.raises(Forbidden):
            read()
    assert queries.events(session, SYSTEM, EventFilter()) == []
