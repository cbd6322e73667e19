"""Which of the gateway's lines belong to a period, and what was read of its books."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from billing_core.businesses.queries import default_business
from billing_core.dates import Period
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import BalanceTransaction
from billing_core.online_payments.models import GatewayLine, GatewayReading
from billing_core.online_payments.reconciliation import balance_transactions, reconciliation
from billing_core.online_payments.reconciliation.reconciliation import PairFilter
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import GatewayNames, Received, record_collected
from tests.payments.books import NOW, TODAY, a_customer, an_open_invoice

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
READER = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")
TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
FIRST, AFTER = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def a_line(number, *, at, **facts) -> BalanceTransaction:
    known = {"type": "payout", "source": f"po_{number}", "intent_id": None, "currency": "EUR"}
    return BalanceTransaction(f"txn_{number}", **known | facts, amount_minor=-100, fee_minor=0, created_at=at)


def keys(session, **limits) -> list[str]:
    return [pair.key for pair in reconciliation.page(session, READER, PairFilter(Mode.TEST, MARCH), **limits)]


@pytest.mark.parametrize(("zone", "shift"), [("UTC", 0), ("Europe/Amsterdam", 1)])
def test_a_period_lasts_from_its_first_instant_to_its_last_where_the_business_is(session, zone, shift):
    default_business(session).time_zone = zone
    # The clocks of the Netherlands went forward on 29 March.
    first, after = FIRST - timedelta(hours=shift), AFTER - timedelta(hours=2 * shift)
    instants = [first - TICK, first, after - TICK, after]
    lines = [a_line(number, at=at) for number, at in enumerate(instants)]
    balance_transactions.keep(session, Mode.TEST, lines)
    balance_transactions.keep(session, Mode.TEST, [])
    assert keys(session) == ["po_1", "po_2"]


def test_fifty_pairs_are_on_a_page(session):
    lines = [a_line(f"{number:02}", at=FIRST + number * timedelta(minutes=1)) for number in range(51)]
    balance_transactions.keep(session, Mode.TEST, lines)
    every = [f"po_{number:02}" for number in range(51)]
    assert (keys(session), keys(session, offset=50), keys(session, limit=2, offset=1)) == (
        *(every[:50], every[50:]),
        every[1:3],
    )


def test_of_two_payments_with_one_intent_the_first_stands_beside_the_line(session):
    invoice = an_open_invoice(session, a_customer(session), "100")
    first, second = (
        record_collected(
            session,
            SYSTEM,
            invoice,
            received=Received("EUR", 100, PaymentMethod.STRIPE, TODAY),
            names=GatewayNames(Mode.TEST, key, "pi_twin", None),
            pays=False,
            today=TODAY,
            now=NOW,
        ).id
        for key in ("in_1", "in_2")
    )
    line = a_line(1, at=FIRST + 9 * DAY, type="charge", source="ch_1", intent_id="pi_twin")
    balance_transactions.keep(session, Mode.TEST, [line])
    pairs = {pair.payment_id: pair for pair in reconciliation.page(session, READER, PairFilter(Mode.TEST, MARCH))}
    assert (pairs[first].there_minor, pairs[second].there_minor) == (-100, None)


def test_a_line_is_kept_once_and_its_texts_as_long_as_our_columns(session):
    long = a_line(1, at=FIRST, type="t" * 101, description="d" * 501)
    for _ in range(2):
        balance_transactions.keep(session, Mode.TEST, [long])
    kept = session.scalars(select(GatewayLine)).one()
    assert (kept.type, kept.description, kept.amount_minor) == ("t" * 100, "d" * 500, -100)


@pytest.mark.parametrize(
    ("first_on", "last_on", "covers"),
    [(0, 0, True), (-1, 1, True), (1, 0, False), (0, -1, False), (1, 1, False)],
)
def test_a_period_was_read_where_one_reading_has_all_of_it(session, first_on, last_on, covers):
    def read(mode=Mode.TEST):
        facts = {"first_on": MARCH.start + first_on * DAY, "last_on": MARCH.end + last_on * DAY, "lines": 0}
        session.add(GatewayReading(mode=mode, read_at=NOW, read_by="Grace", **facts))
        session.flush()

    read(Mode.LIVE)
    assert balance_transactions.last_reading(session, READER, Mode.TEST, MARCH) is None
    read()
    read()
    last = balance_transactions.last_reading(session, READER, Mode.TEST, MARCH)
    newest = session.scalar(select(GatewayReading.id).order_by(GatewayReading.id.desc()).limit(1))
    assert (last and last.id) == (newest if covers else None)


def test_books_are_read_a_week_around_the_period():
    assert balance_transactions.instants("UTC", MARCH) == (FIRST - 7 * DAY, AFTER + 7 * DAY)
    assert balance_transactions.instants("UTC", MARCH, timedelta()) == (FIRST, AFTER)
