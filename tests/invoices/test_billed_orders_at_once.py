"""Two who bill the same orders, or give them up, at once: the first one's key is always taken.

Each has a service of 2.00 an order and one of 0.50 an item.
"""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial

import pytest
from sqlalchemy import select

from billing_core.dates import Period
from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, from_reports, queries, service
from billing_core.invoices.billed_orders import verification
from billing_core.invoices.billed_orders.keeping import AlreadyBilled
from billing_core.invoices.billed_orders.models import BilledOrder
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.orders.models import Order, OrderLine, OrderStatus
from tests.at_once import at_once
from tests.reports.company import HANDLING, MARCH, NOW, PICKING, a_customer, an_order, billed

TODAY = date(2026, 4, 2)
FIRST_HALF = Period(date(2026, 3, 1), date(2026, 3, 15))
FIRST_DAYS = Period(date(2026, 3, 1), date(2026, 3, 12))


@pytest.fixture
def reports(sessions):
    """Three that have the same order."""
    with sessions.begin() as session:
        customer = a_customer(session)
        an_order(session, customer, "ACME-1")
        return [billed(session, customer, period).id for period in (MARCH, FIRST_HALF, FIRST_DAYS)]


def _invoiced(session, report_id, why=""):
    return from_reports.draft_from_report(session, SYSTEM, report_id, again_reason=why, now=NOW, today=TODAY).id


def _discarded(session, invoice_id):
    service.discard(session, SYSTEM, invoice_id, now=NOW)


def _meanwhile(sessions, first, second):
    """``second`` begins before ``first`` is committed, and may have to wait for that."""

    def done():
        with sessions.begin() as session:
            return second(session)

    with ThreadPoolExecutor(1) as somebody:
        with sessions.begin() as session:
            first(session)
            other = somebody.submit(done)
            wait([other], timeout=0.5)
        return other.result()


def _firsts(sessions):
    with sessions() as session:
        return sorted(session.scalars(select(BilledOrder.invoice_id).where(BilledOrder.again == 0)))


def test_what_is_billed_again_while_the_first_invoice_is_given_up_is_the_first_then(sessions, reports):
    with sessions.begin() as session:
        first = _invoiced(session, reports[0])

    again = _meanwhile(
        sessions,
        lambda session: _discarded(session, first),
        lambda session: _invoiced(session, reports[1], "Agreed"),
    )

    assert _firsts(sessions) == [again] * 2
    with pytest.raises(AlreadyBilled), sessions.begin() as session:
        _invoiced(session, reports[2])


def test_of_three_of_which_two_are_given_up_at_once_the_third_is_the_first(sessions, reports):
    with sessions.begin() as session:
        made = [_invoiced(session, one, why) for one, why in zip(reports, ("", "Agreed", "Agreed"), strict=True)]

    _meanwhile(sessions, lambda session: _discarded(session, made[1]), lambda session: _discarded(session, made[0]))

    assert _firsts(sessions) == [made[2]] * 2


@pytest.mark.later
def test_of_two_who_bill_the_same_of_two_customers_the_other_way_round_one_is_told(sessions):
    """Not each waits for the other, which the database would end with an error."""
    with sessions.begin() as session:
        pairs, facts = [], {"order_date": date(2026, 3, 10), "status": OrderStatus.SHIPPED}
        for ref in ("ACME", "BETA"):
            customer = a_customer(session, ref)
            orders = [Order(number=f"{ref}-{n}", customer_id=customer, **facts) for n in range(2_000)]
            session.add_all(orders)
            session.flush()
            session.add_all(OrderLine(order_id=one.id, sku="A", sku_key="A", quantity=1) for one in orders)
            pairs.append([billed(session, customer, period).id for period in (MARCH, FIRST_HALF)])

    def invoiced(report_ids):
        with sessions.begin() as session:
            return from_reports.draft_many(session, SYSTEM, report_ids, now=NOW, today=TODAY)

    (acme, acme_half), (beta, beta_half) = pairs
    found = at_once(lambda: invoiced([acme, beta]), lambda: invoiced([beta_half, acme_half]))

    assert sorted(type(one).__name__ for one in found) == ["AlreadyBilled", "list"]


def _edited(session, invoice_id, chance):
    """Any of its lines may go."""
    draft = queries.for_change(session, SYSTEM, invoice_id)
    content = queries.content(session, draft)
    lines = chance.sample(content.lines, max(len(content.lines) - 1, 1))
    service.edit(session, SYSTEM, invoice_id, replace(content, lines=tuple(lines)), drawn_from=draft.version, now=NOW)


def _cancelled(session, invoice_id, _chance):
    after_sending.cancel(session, SYSTEM, invoice_id, now=NOW, today=TODAY)


DRAFTS = (
    _edited,
    lambda session, invoice_id, _: _discarded(session, invoice_id),
    lambda session, invoice_id, _: service.send(session, SYSTEM, invoice_id, now=NOW),
)


@pytest.mark.later
@pytest.mark.parametrize("seed", range(3))
def test_whatever_many_do_at_once_one_invoice_keeps_others_off_and_nobody_meets_an_error(sessions, seed):
    with sessions.begin() as session:
        customer = a_customer(session)
        for day in range(1, 31):
            an_order(session, customer, f"ACME-{day}", on=date(2026, 3, day))
        periods = (MARCH, FIRST_HALF, Period(date(2026, 3, 10), date(2026, 3, 20)))
        chosen = itertools.product(periods, ((), (HANDLING,), (PICKING,)))
        report_ids = [billed(session, customer, period, service_ids=some).id for period, some in chosen]

    def act(session, chance):
        state, verbs = chance.choice([(None, ()), (InvoiceState.DRAFT, DRAFTS), (InvoiceState.OPEN, (_cancelled,))])
        if state is None:
            chosen, why = chance.sample(report_ids, chance.randint(1, 2)), chance.choice(["", "Agreed"])
            from_reports.draft_many(session, SYSTEM, chosen, again_reason=why, now=NOW, today=TODAY)
        elif ids := session.scalars(select(Invoice.id).where(Invoice.state == state)).all():
            chance.choice(verbs)(session, chance.choice(ids), chance)

    def work(hand):
        chance = random.Random(f"{seed} {hand}")
        for _ in range(40):
            with suppress(BillingError), sessions.begin() as session:
                act(session, chance)

    assert at_once(*(partial(work, hand) for hand in range(4))) == [None] * 4
    with sessions() as session:
        assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []
