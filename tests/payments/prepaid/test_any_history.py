"""Whatever is given, bought, used, reversed and left to expire, in any order: credit is what a naive computation says.

The naive books know nothing of the product: lists of dicts, added up anew at each question.
"""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.payments import credit, received, sending
from billing_core.payments.prepaid import granting
from billing_core.payments.prepaid.models import PrepaidGrant
from billing_core.receivables import verification as receivables
from tests.payments.books import NOW, TODAY, a_customer, pay
from tests.payments.prepaid.ahead import a_usage_draft, keep_up, left, prepaid, wrong_in

pytestmark = pytest.mark.slow

AMOUNTS = st.integers(1, 60)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("give"), AMOUNTS, st.none() | st.integers(0, 3)),
        st.tuples(st.just("buy"), AMOUNTS, st.none() | st.integers(1, 4)),
        st.tuples(st.just("use"), AMOUNTS, st.none()),
        st.tuples(st.just("release"), st.integers(0, 9), st.none()),
        st.tuples(st.just("bounce"), st.integers(0, 9), st.none()),
        st.tuples(st.just("take_back"), st.integers(0, 9), st.none()),
        st.tuples(st.just("next_day"), st.integers(1, 2), st.none()),
    ),
    min_size=1,
    max_size=14,
)


class Naive:
    """Grants and invoices as lists, in minor units."""

    def __init__(self) -> None:
        self.grants: list[dict] = []
        self.invoices: list[dict] = []

    def grant(self, amount: int, last_day: date | None, *, bought: bool) -> None:
        self.grants.append({"left": amount, "last": last_day, "bought": bought, "gone": False})

    def use(self, total: int, today: date) -> None:
        paid: dict[int, int] = {}
        for _ in range(total):
            having = [
                (one["last"] or date.max, one["bought"], place)
                for place, one in enumerate(self.grants)
                if one["left"] and (one["last"] is None or one["last"] >= today)
            ]
            if not having:
                break
            place = min(having)[2]
            self.grants[place]["left"] -= 1
            paid[place] = paid.get(place, 0) + 1
        self.invoices.append({"total": total, "paid": paid, "on": today})

    def release(self, place: int, today: date) -> None:
        for number, minor in self.invoices[place]["paid"].items():
            grant = self.grants[number]
            if grant["last"] is not None and grant["last"] < today:
                days = (grant["last"] - self.invoices[place]["on"]).days
                grant["last"] = today + timedelta(days=max(days, 29) if grant["bought"] else days)
            grant["left"] += minor
        self.invoices[place]["paid"] = {}

    def end(self, today: date) -> None:
        for one in self.grants:
            if one["gone"] or (one["last"] is not None and one["last"] < today):
                one["left"] = 0


class Books:
    """The product's, and the naive ones beside them."""

    def __init__(self, session) -> None:
        self.session, self.naive = session, Naive()
        self.customer = a_customer(session)
        self.today, self.now = TODAY, NOW
        self.sent: list[Invoice] = []
        self.paid_by: list[tuple[int, int]] = []

    def take(self, step: str, number: int, days: int | None) -> None:
        getattr(self, step)(number, days)
        keep_up(self.session, now=self.now)
        self.naive.end(self.today)
        self.compare()

    def give(self, amount: int, days: int | None) -> None:
        last = None if days is None else self.today + timedelta(days=days)
        facts = {"amount_minor": amount, "expires_on": last, "reason": "x", "today": self.today, "now": self.now}
        granting.give(self.session, SYSTEM, self.customer.id, **facts)
        self.naive.grant(amount, last, bought=False)

    def buy(self, amount: int, days: int | None) -> None:
        facts = {"amount_minor": amount, "valid_days": days, "today": self.today, "now": self.now}
        purchase = granting.sell(self.session, SYSTEM, self.customer.id, **facts)
        sending.send(self.session, SYSTEM, purchase.invoice_id, now=self.now)
        payment = pay(self.session, self.customer, amount, **{str(purchase.invoice_id): amount})
        self.paid_by.append((len(self.naive.grants), payment.id))
        self.naive.grant(amount, None if days is None else self.today + timedelta(days=days - 1), bought=True)

    def use(self, total: int, _: None) -> None:
        draft = a_usage_draft(self.session, self.customer, f"{total / 100:.2f}")
        self.sent.append(sending.send(self.session, SYSTEM, draft.id, now=self.now))
        self.naive.use(total, self.today)

    def release(self, number: int, _: None) -> None:
        paid = [place for place, invoice in enumerate(self.sent) if prepaid(self.session, invoice)]
        if paid:
            place = paid[number % len(paid)]
            (allocation,) = prepaid(self.session, self.sent[place])
            facts = {"reason": "x", "today": self.today, "now": self.now}
            credit.release(self.session, SYSTEM, allocation.id, **facts)
            self.naive.release(place, self.today)

    def bounce(self, number: int, _: None) -> None:
        if self.paid_by:
            place, payment_id = self.paid_by.pop(number % len(self.paid_by))
            received.undo(self.session, SYSTEM, payment_id, reason="x", today=self.today, now=self.now)
            self.naive.grants[place]["gone"] = True

    def take_back(self, number: int, _: None) -> None:
        ids = self.session.scalars(select(PrepaidGrant.id).order_by(PrepaidGrant.id)).all()
        if ids:
            place = number % len(ids)
            possible = not self.naive.grants[place]["bought"] and self.naive.grants[place]["left"] > 0
            try:
                facts = {"reason": "x", "today": self.today, "now": self.now}
                granting.take_back(self.session, SYSTEM, ids[place], **facts)
            except BillingError:
                assert not possible
            else:
                assert possible
                self.naive.grants[place]["left"] = 0

    def next_day(self, days: int, _: None) -> None:
        self.today, self.now = self.today + timedelta(days=days), self.now + timedelta(days=days)

    def compare(self) -> None:
        assert left(self.session) == [one["left"] for one in self.naive.grants]
        paid = [sum(one["paid"].values()) for one in self.naive.invoices]
        assert [invoice.paid_minor for invoice in self.sent] == paid
        due = [one["total"] - minor for one, minor in zip(self.naive.invoices, paid, strict=True)]
        assert [invoice.due_minor for invoice in self.sent] == due
        amounts = select(LedgerPosting.amount_minor).where(LedgerPosting.account == Account.PREPAID_CREDIT)
        assert -sum(self.session.scalars(amounts)) == sum(one["left"] for one in self.naive.grants)


@pytest.mark.drawn
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STEPS)
def test_credit_is_what_a_naive_computation_says(session, steps):
    example = session.begin_nested()
    try:
        books = Books(session)
        for step in steps:
            books.take(*step)
        assert wrong_in(session) == []
        assert [wrong for check in receivables.checks(session, today=books.today) for wrong in check.wrong] == []
    finally:
        example.rollback()
        session.expire_all()
