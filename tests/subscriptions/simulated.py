"""Many customers through two years of a clock that jumps, with a gateway that is a sandbox, by workers that may die."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceLineItem
from billing_core.ledger.models import Account, EntryKind, LedgerEntry, LedgerPosting
from billing_core.metering import ingestion
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from billing_core.plans.terms import AddOn, Phase, Terms
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoDuration
from billing_core.promotions.new_codes import NewCode
from billing_core.settings import settings
from billing_core.subscriptions import clock, renewals, signing_up
from billing_core.subscriptions.changes import cancelling, paying
from billing_core.subscriptions.changes.closing import Ending
from billing_core.subscriptions.models import InvoiceKind, Subscription, SubscriptionInvoice
from billing_core.subscriptions.service import Wanted
from tests.at_once import at_once
from tests.invoices.company import a_customer
from tests.subscriptions.contracts import FIRST, LAST, Signed
from tests.subscriptions.naive import Bill, Contract, bills

D = Decimal
# By what happened, the account and the day; of payments without the day.
Postings = Counter[tuple[EntryKind, Account, date | None]]


class Killed(BaseException):
    """Stands for the process ending."""


class Mortal(Sessions):
    """Its process may be killed before any transaction that changes something, and after it."""

    def __init__(self, sessions: Sessions, share: float, seed: int) -> None:
        super().__init__(sessions.engine)
        self._share, self._chance, self.kills = share, Random(seed), 0

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self._survive()
        with super().begin() as session:
            yield session
        self._survive()

    def _survive(self) -> None:
        if self._chance.random() < self._share:
            self.kills += 1
            raise Killed


@dataclass(frozen=True)
class Act:
    """What happens at an instant, other than by the clock."""

    at: datetime
    do: Callable[[datetime], None]


class Company:
    """The customers of these contracts. ``deaths``: how likely a process is to be killed at each transaction."""

    def __init__(self, sessions: Sessions, signed: Sequence[Signed], *, deaths: float = 0, workers: int = 1) -> None:
        self.sessions, self.signed, self.workers = sessions, signed, workers
        self.mortal = Mortal(sessions, deaths, 7)
        self.gateway = SandboxGateway(self.mortal, settings())
        self.customers: list[int] = []
        with sessions.begin() as session:
            for number, one in enumerate(signed):
                self.customers.append(_customer(session, number, one.contract))
        self._calls = sorted(
            (call, number) for number, one in enumerate(signed) for call in one.contract.calls if call < LAST
        )

    def live(self, runs: Sequence[datetime] | None, *, standstill: tuple[datetime, datetime] | None = None) -> None:
        """Let time pass. ``runs``: when the jobs run; None: whenever an hour begins in which something is due. Between
        both instants of ``standstill`` they do not run at all.
        """
        acts = sorted(self._acts(), key=lambda act: act.at)
        if runs is not None:
            ticks = [Act(at, self._run) for at in runs if standstill is None or not standstill[0] < at < standstill[1]]
            acts = sorted([*acts, *ticks], key=lambda act: act.at)
        for act in acts:
            if runs is None:
                self._every_hour(until=act.at)
            act.do(act.at)
        if runs is None:
            self._every_hour(until=LAST)
        # What was cut off is gone on with after some minutes.
        for hours in (0, 1, 2):
            self.mortal._share = 0 if hours else self.mortal._share
            self._run(LAST + timedelta(hours=hours))

    def _every_hour(self, until: datetime) -> None:
        while (due := self._next_due()) is not None and (hour := _full(due)) <= until:
            self._run(max(hour, self._last_run + timedelta(hours=1)))

    def _next_due(self) -> datetime | None:
        with self.sessions() as session:
            held = Subscription.held_at.is_(None)
            following = session.scalar(select(func.min(Subscription.next_at)).where(held))
            collected = session.scalar(select(func.min(SubscriptionInvoice.collect_at)))
        return min(filter(None, (following, collected)), default=None)

    _last_run = FIRST

    def _run(self, now: datetime) -> None:
        self._last_run = now
        self._take_calls(now)
        if self.workers == 1:
            self._work(now)
        else:
            at_once(*[lambda: self._work(now)] * self.workers)
        while self._released(now):
            self._work(now)

    def _work(self, now: datetime) -> None:
        """As often as it takes until nobody was killed."""
        while True:
            try:
                for _ in clock.run(self.mortal, SYSTEM, self.gateway, now=now):
                    pass
            except Killed:
                continue
            return

    def _released(self, now: datetime) -> int:
        """A person says yes to what waits for it."""
        with self.sessions.begin() as session:
            waiting = session.scalars(select(Subscription).where(Subscription.held_at.is_not(None))).all()
            for one in waiting:
                assert one.hold_reason == "More than 3 periods have begun since"
                renewals.release(session, SYSTEM, one.id, now=now)
        return len(waiting)

    def _take_calls(self, now: datetime) -> None:
        told = []
        while self._calls and self._calls[0][0] <= now:
            moment, number = self._calls.pop(0)
            ref = f"C{number}"
            told.append({"id": f"{ref}-{len(self._calls)}", "customer_ref": ref, "time": moment.isoformat()})
        if told:
            with self.sessions.begin() as session:
                assert ingestion.record(session, SYSTEM, told, now=now, atomic=True).accepted == len(told)

    def _acts(self) -> Iterator[Act]:
        for number, one in enumerate(self.signed):
            yield Act(one.contract.begun_at, lambda now, number=number: self._subscribe(number, now))
            for at, card in one.cards:
                yield Act(at, lambda now, number=number, card=card: self._change_card(number, card, now))
            if one.contract.cancelled_at is not None:
                yield Act(one.contract.cancelled_at, lambda now, number=number: self._cancel(number, now))

    def _subscribe(self, number: int, now: datetime) -> None:
        one = self.signed[number]
        contract = one.contract
        with self.sessions() as session:
            public_id = session.get_one(Customer, self.customers[number]).public_id
        wanted = Wanted(
            public_id,
            f"plan-{number}",
            trial_days=contract.trial_days,
            promo_code=f"CODE-{number}" if contract.promo else "",
            seats=contract.seats,
            add_ons={code: quantity for code, (quantity, _) in contract.add_ons.items()},
            tax_rate=contract.tax_rate,
        )
        while self._subscription(number) is None:
            try:
                signing_up.subscribe(self.mortal, SYSTEM, self.gateway, wanted, method=one.card, now=now)
            except Killed:
                continue

    def _change_card(self, number: int, card: str, now: datetime) -> None:
        found = self._subscription(number)
        assert found is not None
        gateway = SandboxGateway(self.sessions, settings())
        paying.replace(self.sessions, SYSTEM, gateway, found.public_id, card, now=now)

    def _cancel(self, number: int, now: datetime) -> None:
        """For the end of the period that runs at that instant: what is due by then is done before."""
        found = self._subscription(number)
        assert found is not None
        self._take_calls(now)
        while True:
            with self.sessions.begin() as session:
                if renewals.advance(session, SYSTEM, found.id, now=now) is None:
                    break
        with self.sessions() as session:
            if session.get_one(Subscription, found.id).canceled_at is not None:
                return
        cancelling.cancel(self.sessions, SYSTEM, self.gateway, found.public_id, Ending(at_period_end=True), now=now)

    def _subscription(self, number: int) -> Subscription | None:
        with self.sessions() as session:
            return session.scalars(
                select(Subscription).where(Subscription.customer_id == self.customers[number])
            ).one_or_none()

    def billed(self) -> list[list[Bill]]:
        """What there is of each customer."""
        with self.sessions() as session:
            return [_billed(session, *pair) for pair in zip(self.customers, self.signed, strict=True)]

    def postings(self) -> Postings:
        """What was posted to each account, in minor units. Of payments it is all that came, whenever, of those whose
        cards hold.
        """
        sums: Postings = Counter()
        paying = {pair[0] for pair in zip(self.customers, self.signed, strict=True) if pair[1].cards_hold}
        entry, posting = LedgerEntry, LedgerPosting
        columns = (entry.kind, posting.account, posting.effective_on, posting.amount_minor, posting.customer_id)
        with self.sessions() as session:
            rows = session.execute(select(*columns).join_from(posting, entry, entry.id == posting.entry_id)).all()
        for kind, account, day, amount, customer_id in rows:
            if kind is not EntryKind.PAYMENT:
                sums[kind, account, day] += amount
            elif customer_id in paying:
                sums[kind, account, None] += amount
        # What the gateway keeps for itself is none of the customers' business.
        return Counter({key: amount for key, amount in sums.items() if amount and key[0] is not EntryKind.FEE})


def expected_postings(signed: Sequence[Signed]) -> Postings:
    sums: Postings = Counter()
    for one in signed:
        by_card, credit = 0, int(one.contract.credit.scaleb(one.contract.places))
        for bill in bills(one.contract, LAST):
            amounts = (bill.total, bill.tax, bill.by_credit)
            total, tax, by_credit = (int(amount.scaleb(one.contract.places)) for amount in amounts)
            sums[EntryKind.INVOICE, Account.RECEIVABLE, bill.day] += total
            sums[EntryKind.INVOICE, Account.REVENUE, bill.day] -= total - tax
            sums[EntryKind.INVOICE, Account.TAX_PAYABLE, bill.day] -= tax
            sums[EntryKind.CREDIT_APPLIED, Account.RECEIVABLE, bill.day] -= by_credit
            sums[EntryKind.CREDIT_APPLIED, Account.CUSTOMER_CREDIT, bill.day] += by_credit
            by_card += 0 if bill.final else total - by_credit
        if one.cards_hold:
            sums[EntryKind.PAYMENT, Account.RECEIVABLE, None] -= by_card
            sums[EntryKind.PAYMENT, Account.CUSTOMER_CREDIT, None] -= credit
            sums[EntryKind.PAYMENT, Account.CASH, None] += by_card + credit
    return Counter({key: amount for key, amount in sums.items() if amount})


def _full(moment: datetime) -> datetime:
    """The hour that begins then or next."""
    begun = moment.replace(minute=0, second=0, microsecond=0)
    return begun if begun == moment else begun + timedelta(hours=1)


def _customer(session: Session, number: int, contract: Contract) -> int:
    currency = "JPY" if contract.places == 0 else "EUR"
    customer_id = a_customer(session, f"C{number}", currency=currency, time_zone=contract.zone, created_at=FIRST)
    agreed = Terms(
        currency,
        contract.price,
        contract.included_calls,
        contract.call_price,
        interval=PlanInterval(contract.interval),
        interval_count=contract.count,
        timing=BillingTiming.ARREARS if contract.in_arrears else BillingTiming.ADVANCE,
        seat_price=contract.seat_price,
        included_seats=contract.included_seats,
        trial_end=TrialEnd.INVOICE,
        ends_after=contract.ends_after,
        add_ons=tuple(AddOn(code, code.title(), {currency: price}) for code, (_, price) in contract.add_ons.items()),
        phases=tuple(Phase(periods, percent) for periods, percent in contract.phases),
    )
    plans.create(session, SYSTEM, code=f"plan-{number}", name=f"Plan {number}", agreed=agreed, now=FIRST)
    if (promo := contract.promo) is not None:
        once = PromoDuration.FOREVER if promo.periods is None else PromoDuration.PERIODS
        given = {"percent": promo.percent, "amount": promo.amount, "duration": once, "periods": promo.periods}
        given |= {"currency": currency} if promo.amount else {}
        promotions.create(session, SYSTEM, NewCode(f"CODE-{number}", **given), now=FIRST)
    if contract.credit:
        amount_minor = int(contract.credit.scaleb(contract.places))
        money = Received(currency, amount_minor, PaymentMethod.BANK_TRANSFER, FIRST.date())
        received.record(
            session, SYSTEM, customer_id=customer_id, received=money, allocations={}, today=FIRST.date(), now=FIRST
        )
    return customer_id


def _billed(session: Session, customer_id: int, one: Signed) -> list[Bill]:
    """Of everything that was sent to the customer."""
    places = one.contract.places
    statement = (
        select(Invoice, SubscriptionInvoice.kind)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .where(Invoice.customer_id == customer_id, Invoice.number.is_not(None))
        .order_by(Invoice.issued_on, Invoice.id)
    )
    found = []
    for invoice, kind in session.execute(statement):
        lines = select(InvoiceLineItem.amount_minor).where(InvoiceLineItem.invoice_id == invoice.id)
        applied = select(func.sum(LedgerPosting.amount_minor)).where(
            LedgerPosting.invoice_id == invoice.id,
            LedgerPosting.account == Account.RECEIVABLE,
            LedgerPosting.entry_id.in_(select(LedgerEntry.id).where(LedgerEntry.kind == EntryKind.CREDIT_APPLIED)),
        )
        by_credit = -(session.scalar(applied) or 0)
        amounts = sorted(D(amount).scaleb(-places) for amount in session.scalars(lines) if amount)
        figures = (D(minor).scaleb(-places) for minor in (invoice.tax_minor, invoice.total_minor, by_credit))
        found.append(Bill(invoice.issued_on, tuple(amounts), *figures, final=kind is InvoiceKind.FINAL))
    return found
