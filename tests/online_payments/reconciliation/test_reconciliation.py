"""The gateway's books beside ours. Every expected row is worked out by hand from what was put on either side."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select, update

from billing_core.dates import Period
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.payment_links import Mode
from billing_core.money import Money
from billing_core.online_payments.gateway import BalanceTransaction
from billing_core.online_payments.models import Dispute, DisputeState, GatewayLine
from billing_core.online_payments.reconciliation import balance_transactions as reconciliation_balance_transactions
from billing_core.online_payments.reconciliation import exporting, reconciliation
from billing_core.online_payments.reconciliation.reconciliation import Agreement, Kind, PairFilter
from billing_core.payments import chargebacks, credit, received
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import Payment, PaymentMethod, Refund
from billing_core.payments.received import Received
from tests.payments.books import a_customer

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)
TODAY = date(2026, 4, 2)
READER = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")


class Books:
    """A gateway that has nothing but its books."""

    mode = Mode.TEST

    def __init__(self, *lines):
        self.lines = lines
        self.asked = []

    def balance_transactions(self, start, end):
        self.asked.append((start, end))
        return iter(line for line in self.lines if start <= line.created_at < end)


def a_line(number, minor, *, intent="", type="charge", source="", fee=0, currency="EUR", at=None):  # noqa: A002
    source = source or f"ch_{number}"
    moment = at or datetime(2026, 3, 10, 12, tzinfo=UTC)
    return BalanceTransaction(f"txn_{number}", type, source, intent or None, currency, minor, fee, moment)


def paid(session, customer, minor, key, *, on=date(2026, 3, 10), currency="EUR", mode=Mode.TEST, **ids):
    """A payment of ours that a gateway told of."""
    facts = Received(currency, minor, PaymentMethod.STRIPE, on)
    payment = received.record(
        session, SYSTEM, customer_id=customer, received=facts, allocations={}, today=TODAY, now=NOW
    )
    for name, value in {"gateway_key": key, "mode": mode, **ids}.items():
        setattr(payment, name, value)
    session.flush()
    return payment.id


def gave_back(session, payment_id, minor, *, on):
    payment = session.get_one(Payment, payment_id)
    refund = credit.pay_out(
        session,
        SYSTEM,
        customer_id=payment.customer_id,
        business_id=payment.business_id,
        amount=Money(minor, payment.currency),
        method=PaymentMethod.STRIPE,
        reason="asked for",
        today=on,
        now=NOW,
    )
    session.execute(update(Refund).where(Refund.id == refund.id).values(payment_id=payment_id))


def compared(session, **limits):
    """(agreement, kind, key, here, there), by key."""
    rows = reconciliation.page(session, READER, PairFilter(Mode.TEST, MARCH, **limits))
    return sorted((row.agreement, row.kind, row.key, row.here_minor, row.there_minor) for row in rows)


def test_each_payment_stands_beside_the_gateways_line(sessions):
    with sessions.begin() as session:
        carla = a_customer(session).id
        paid(session, carla, 10_000, "pi_same")
        paid(session, carla, 5_000, "in_hosted", intent_id="pi_hosted")
        paid(session, carla, 7_000, "in_unasked", charge_id="ch_5")
        paid(session, carla, 2_500, "pi_less")
        paid(session, carla, 900, "pi_unknown_there")
        paid(session, carla, 3_000, "pi_of_april", on=date(2026, 4, 1))
        received.record(
            session,
            SYSTEM,
            customer_id=carla,
            received=Received("EUR", 1_234, PaymentMethod.BANK_TRANSFER, date(2026, 3, 10)),
            allocations={},
            today=TODAY,
            now=NOW,
        )
    books = Books(
        a_line(1, 10_000, intent="pi_same", fee=320),
        a_line(2, 5_000, intent="pi_hosted"),
        a_line(5, 7_000),
        a_line(3, 2_400, intent="pi_less"),
        a_line(4, 4_400, intent="pi_unknown_here"),
        a_line(6, -16_000, type="payout", source="po_1"),
        # The last instant of March and one of April that says the same: of both sides only what belongs to March.
        a_line(7, 3_000, intent="pi_of_april", at=datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC)),
    )
    reconciliation_balance_transactions.read(sessions, READER, books, MARCH, now=NOW)
    reconciliation_balance_transactions.read(sessions, READER, books, MARCH, now=NOW)  # again: nothing twice

    with sessions() as session:
        assert session.scalar(select(func.count(GatewayLine.id))) == 7
        assert compared(session) == [
            (Agreement.DIFFERENT, Kind.PAYMENT, "pi_less", 2_500, 2_400),
            (Agreement.MATCHED, Kind.PAYMENT, "ch_5", 7_000, 7_000),
            (Agreement.MATCHED, Kind.PAYMENT, "pi_hosted", 5_000, 5_000),
            (Agreement.MATCHED, Kind.PAYMENT, "pi_same", 10_000, 10_000),
            (Agreement.ONLY_HERE, Kind.PAYMENT, "pi_unknown_there", 900, None),
            (Agreement.ONLY_THERE, Kind.PAYMENT, "pi_unknown_here", None, 4_400),
            (Agreement.OTHER, Kind.OTHER, "po_1", None, -16_000),
        ]
        assert compared(session, agreement="only_here") == [
            (Agreement.ONLY_HERE, Kind.PAYMENT, "pi_unknown_there", 900, None)
        ]
        totals = {one.agreement: one for one in reconciliation.sums(session, READER, PairFilter(Mode.TEST, MARCH))}
        matched = totals[Agreement.MATCHED]
        assert (matched.pairs, matched.here_minor, matched.there_minor, matched.there_fee_minor) == (
            3,
            22_000,
            22_000,
            320,
        )
        last = reconciliation_balance_transactions.last_reading(session, READER, Mode.TEST, MARCH)
        assert (last.lines, last.read_by) == (7, "Rita Reader")
        assert reconciliation_balance_transactions.last_reading(session, READER, Mode.LIVE, MARCH) is None
    assert books.asked[0] == (datetime(2026, 2, 22, tzinfo=UTC), datetime(2026, 4, 8, tzinfo=UTC))


# By key: our side, the gateway's, what comes of it, and the difference.
CENTS = {
    "pi_0": (1, None, Agreement.ONLY_HERE, -1),
    "pi_1": (None, 1, Agreement.ONLY_THERE, 1),
    "pi_2": (None, -1, Agreement.ONLY_THERE, -1),
    "pi_3": (None, 0, Agreement.MATCHED, 0),
    "pi_4": (1, 2, Agreement.DIFFERENT, 1),
    "pi_5": (2, 1, Agreement.DIFFERENT, -1),
    "pi_6": (1, 0, Agreement.DIFFERENT, -1),
    "pi_7": (1, 1, Agreement.MATCHED, 0),
}


def test_one_cent_makes_a_difference_also_where_one_side_is_missing(sessions):
    with sessions.begin() as session:
        carla = a_customer(session).id
        for number, (key, (here, there, *_)) in enumerate(CENTS.items()):
            if here is not None:
                paid(session, carla, here, key)
            if there is not None:
                reconciliation_balance_transactions.keep(session, Mode.TEST, [a_line(number, there, intent=key)])
    asked = PairFilter(Mode.TEST, MARCH)
    with sessions() as session:
        rows = reconciliation.page(session, READER, asked)
        assert {
            row.key: (row.here_minor, row.there_minor, row.agreement, row.difference_minor) for row in rows
        } == CENTS
        sums = reconciliation.sums(session, READER, asked)
        assert [(one.agreement, one.pairs, one.here_minor, one.there_minor) for one in sums] == [
            (Agreement.DIFFERENT, 3, 4, 3),
            (Agreement.MATCHED, 2, 1, 1),
            (Agreement.ONLY_HERE, 1, 1, 0),
            (Agreement.ONLY_THERE, 2, 0, 0),
        ]
        only_here = reconciliation.page(session, READER, PairFilter(Mode.TEST, MARCH, agreement="only_here"))
        assert [row.key for row in only_here] == ["pi_0"]


def test_pairs_are_listed_by_day_then_key_then_kind_whichever_side_they_are_on(sessions):
    """The day is the earlier of the two sides'. What is missing here, and what is missing there, stand in between."""
    with sessions.begin() as session:
        carla = a_customer(session).id
        paid(session, carla, 1, "pi_b", on=date(2026, 3, 12))
        paid(session, carla, 1, "pi_a", on=date(2026, 3, 14))
        both = paid(session, carla, 500, "pi_c", on=date(2026, 3, 12))
        gave_back(session, both, 1, on=date(2026, 3, 12))
        reconciliation_balance_transactions.keep(
            session,
            Mode.TEST,
            [
                a_line(1, 500, intent="pi_c", at=datetime(2026, 3, 20, tzinfo=UTC)),
                a_line(2, 1, intent="pi_z", at=datetime(2026, 3, 11, tzinfo=UTC)),
                a_line(3, 1, intent="pi_bb", at=datetime(2026, 3, 12, tzinfo=UTC)),
                a_line(4, 1, intent="pi_a", at=datetime(2026, 3, 13, 23, 59, 59, tzinfo=UTC), currency="USD"),
                a_line(5, 1, intent="pi_d", at=datetime(2026, 3, 14, tzinfo=UTC), currency="USD"),
                a_line(6, 1, intent="pi_d", at=datetime(2026, 3, 14, tzinfo=UTC), currency="EUR"),
            ],
        )
    listed = [
        (Kind.PAYMENT, "pi_z", "EUR", Agreement.ONLY_THERE),
        (Kind.PAYMENT, "pi_b", "EUR", Agreement.ONLY_HERE),
        (Kind.PAYMENT, "pi_bb", "EUR", Agreement.ONLY_THERE),
        (Kind.PAYMENT, "pi_c", "EUR", Agreement.MATCHED),
        (Kind.REFUND, "pi_c", "EUR", Agreement.ONLY_HERE),
        (Kind.PAYMENT, "pi_a", "USD", Agreement.ONLY_THERE),
        (Kind.PAYMENT, "pi_a", "EUR", Agreement.ONLY_HERE),
        (Kind.PAYMENT, "pi_d", "EUR", Agreement.ONLY_THERE),
        (Kind.PAYMENT, "pi_d", "USD", Agreement.ONLY_THERE),
    ]
    asked = PairFilter(Mode.TEST, MARCH)
    with sessions() as session:
        rows = reconciliation.page(session, READER, asked)
        assert [(row.kind, row.key, row.currency, row.agreement) for row in rows] == listed
        paged = [reconciliation.page(session, READER, asked, limit=2, offset=offset) for offset in range(0, 10, 2)]
        assert [row for page in paged for row in page] == rows


def test_what_went_back_is_compared_apart_and_by_payment(sessions):
    with sessions.begin() as session:
        carla = a_customer(session).id
        twice, more = paid(session, carla, 10_000, "pi_twice"), paid(session, carla, 8_000, "pi_more")
        gave_back(session, twice, 1_000, on=date(2026, 3, 12))
        gave_back(session, twice, 2_000, on=date(2026, 3, 20))
        gave_back(session, more, 500, on=date(2026, 3, 20))
        reconciliation_balance_transactions.keep(
            session,
            Mode.TEST,
            [
                a_line(1, 10_000, intent="pi_twice"),
                a_line(2, 8_000, intent="pi_more"),
                a_line(3, -1_000, intent="pi_twice", type="refund", source="re_1"),
                a_line(4, -2_000, intent="pi_twice", type="refund", source="re_2"),
                a_line(5, -800, intent="pi_more", type="payment_refund", source="re_3"),
            ],
        )
    with sessions() as session:
        assert compared(session) == [
            (Agreement.DIFFERENT, Kind.REFUND, "pi_more", -500, -800),
            (Agreement.MATCHED, Kind.PAYMENT, "pi_more", 8_000, 8_000),
            (Agreement.MATCHED, Kind.PAYMENT, "pi_twice", 10_000, 10_000),
            (Agreement.MATCHED, Kind.REFUND, "pi_twice", -3_000, -3_000),
        ]


def test_booked_a_little_later_is_no_difference_and_what_failed_came_to_nothing(sessions):
    with sessions.begin() as session:
        carla = a_customer(session).id
        paid(session, carla, 3_000, "pi_late", on=date(2026, 3, 31))
        paid(session, carla, 4_000, "pi_early", on=date(2026, 4, 2))
        reconciliation_balance_transactions.keep(
            session,
            Mode.TEST,
            [
                a_line(1, 3_000, intent="pi_late", at=datetime(2026, 4, 3, tzinfo=UTC)),
                a_line(2, 4_000, intent="pi_early", at=datetime(2026, 3, 30, tzinfo=UTC)),
                a_line(3, 600, intent="pi_bounced", type="payment"),
                a_line(4, -600, intent="pi_bounced", type="payment_failure_refund"),
            ],
        )
    with sessions() as session:
        assert compared(session) == [
            (Agreement.MATCHED, Kind.PAYMENT, "pi_bounced", None, 0),
            (Agreement.MATCHED, Kind.PAYMENT, "pi_early", 4_000, 4_000),
            (Agreement.MATCHED, Kind.PAYMENT, "pi_late", 3_000, 3_000),
        ]


def test_two_currencies_of_one_payment_are_never_added(sessions):
    with sessions.begin() as session:
        carla = a_customer(session).id
        paid(session, carla, 3_000, "pi_1")
        reconciliation_balance_transactions.keep(session, Mode.TEST, [a_line(1, 3_000, intent="pi_1", currency="USD")])
    with sessions() as session:
        assert compared(session) == [
            (Agreement.ONLY_HERE, Kind.PAYMENT, "pi_1", 3_000, None),
            (Agreement.ONLY_THERE, Kind.PAYMENT, "pi_1", None, 3_000),
        ]
        assert compared(session, currency="EUR") == [(Agreement.ONLY_HERE, Kind.PAYMENT, "pi_1", 3_000, None)]


def test_a_payment_that_the_bank_took_back_did_come_in_and_other_modes_are_left_out(sessions):
    with sessions.begin() as session:
        carla = a_customer(session).id
        undone = paid(session, carla, 3_000, "pi_undone")
        # As a lost dispute did formerly.
        session.get_one(Payment, undone).undone_at = NOW
        dispute = a_line(2, -3_000, intent="pi_undone", type="adjustment", source="dp_1")
        reconciliation_balance_transactions.keep(session, Mode.TEST, [a_line(1, 3_000, intent="pi_undone"), dispute])
        paid(session, carla, 4_400, "pi_live_here", mode=Mode.LIVE)
        reconciliation_balance_transactions.keep(session, Mode.LIVE, [a_line(2, 9_900, intent="pi_live")])
    with sessions() as session:
        assert compared(session) == [
            (Agreement.MATCHED, Kind.PAYMENT, "pi_undone", 3_000, 3_000),
            (Agreement.OTHER, Kind.OTHER, "pi_undone", None, -3_000),
        ]


def test_what_disputes_took_returned_and_cost_is_beside_the_gateways_lines(sessions):
    """30.00 of pi_lost are taken for good, for a fee of 15.00; pi_open waits; of pi_won all came back, for a fee."""
    with sessions.begin() as session:
        carla = a_customer(session).id
        lost, waiting, won = (paid(session, carla, 10_000, key) for key in ("pi_lost", "pi_open", "pi_won"))
        lines = [a_line(number, 10_000, intent=key) for number, key in enumerate(("pi_lost", "pi_open", "pi_won"))]
        days = {"today": date(2026, 3, 12), "now": NOW}
        disputed = {"currency": "EUR", "reason": "fraudulent", "opened_at": NOW, "told_at": NOW}
        for number, payment_id in enumerate((lost, waiting, won)):
            facts = {"gateway_id": f"dp_{number}", "amount_minor": 3_000, "fee_minor": 1_500 * (number != 1)}
            state = (DisputeState.LOST, DisputeState.OPEN, DisputeState.WON)[number]
            opened = datetime(2026, 3, 11, tzinfo=UTC)
            session.add(Dispute(payment_id=payment_id, state=state, **facts, **disputed | {"opened_at": opened}))
            fee = facts["fee_minor"]
            lines.append(a_line(10 + number, -3_000, type="adjustment", source=f"dp_{number}", fee=fee))
        lines.append(a_line(20, 3_000, type="adjustment", source="dp_2"))
        for payment_id, key in ((lost, "dispute:dp_0"), (won, "dispute:dp_2")):
            chargebacks.take_back(session, SYSTEM, payment_id, TakenBack(key, 3_000, "lost"), **days)
        chargebacks.give_back(session, SYSTEM, "dispute:dp_2", **days)
        reconciliation_balance_transactions.keep(session, Mode.TEST, lines)
    with sessions() as session:
        rows = reconciliation.page(session, READER, PairFilter(Mode.TEST, MARCH))
        assert sorted(
            (row.key, row.agreement, row.here_minor, row.there_minor, row.here_fee_minor, row.there_fee_minor)
            for row in rows
            if row.kind is Kind.DISPUTE
        ) == [
            ("dp_0", Agreement.MATCHED, -3_000, -3_000, 1_500, 1_500),
            ("dp_1", Agreement.ONLY_THERE, None, -3_000, None, 0),
            ("dp_2", Agreement.MATCHED, 0, 0, 1_500, 1_500),
        ]


def test_a_reading_that_breaks_off_keeps_what_it_read_and_is_no_reading(sessions):
    class Broken(Books):
        def balance_transactions(self, start, end):
            for number in range(1_500):
                yield a_line(number, 100, intent=f"pi_{number}")
            raise TimeoutError

    heard = []
    with pytest.raises(TimeoutError):
        reconciliation_balance_transactions.read(sessions, READER, Broken(), MARCH, now=NOW, progress=heard.append)
    with sessions() as session:
        assert heard == [1_000]
        assert session.scalar(select(func.count(GatewayLine.id))) == 1_000
        assert reconciliation_balance_transactions.last_reading(session, READER, Mode.TEST, MARCH) is None


def test_somebody_of_one_customer_sees_nothing_of_it(sessions):
    bound = actor_with(Role.ADMIN, user_id=None, name="Bob", customer_id=1)
    asked = PairFilter(Mode.TEST, MARCH)
    with sessions() as session:
        for forbidden in (
            lambda: reconciliation.page(session, bound, asked),
            lambda: reconciliation.sums(session, bound, asked),
            lambda: reconciliation_balance_transactions.last_reading(session, bound, Mode.TEST, MARCH),
            lambda: reconciliation_balance_transactions.read(sessions, bound, Books(), MARCH, now=NOW),
            lambda: exporting.as_csv(session, READER, asked),
        ):
            with pytest.raises(Forbidden):
                forbidden()


def test_the_file_says_what_the_page_says(sessions):
    manager = actor_with(Role.MANAGER, user_id=None, name="Mario")
    with sessions.begin() as session:
        carla = a_customer(session).id
        payment_id = paid(session, carla, 2_500, "pi_less")
        reconciliation_balance_transactions.keep(session, Mode.TEST, [a_line(1, 2_400, intent="pi_less", fee=75)])
    with sessions() as session:
        file = exporting.as_csv(session, manager, PairFilter(Mode.TEST, MARCH))
        lines = b"".join(file.chunks).decode().splitlines()
    assert file.file_name == "reconciliation-2026-03-01-2026-03-31.csv"
    assert lines[1] == (
        f"different,payment,pi_less,{payment_id},Carla C1,,2026-03-10,2026-03-10T12:00:00Z,EUR,"
        "25.00,24.00,-1.00,0.00,0.75"
    )
