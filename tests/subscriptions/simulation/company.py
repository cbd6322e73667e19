"""Many customers through two years of a clock that jumps, with a gateway that is a sandbox, by workers that may die."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, zone_changes
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings
from billing_core.subscriptions import clock, collecting, renewals, signing_up
from billing_core.subscriptions.changes import cancelling, changing, pausing, paying
from billing_core.subscriptions.changes.closing import Ending, OpenInvoices, Unused
from billing_core.subscriptions.changes.wanted import Wanted as WantedChange
from billing_core.subscriptions.changes.wanted import When
from billing_core.subscriptions.models import ChangeState, Subscription, SubscriptionChange, SubscriptionInvoice
from billing_core.subscriptions.service import Wanted
from tests.at_once import at_once
from tests.subscriptions.simulation.contracts import (
    PERIOD_END,
    Act,
    Cancel,
    Change,
    Contract,
    Move,
    Pause,
    Replace,
    Resume,
    Withdraw,
)
from tests.subscriptions.simulation.customers import a_customer_of
from tests.subscriptions.simulation.drawn import FIRST, LAST
from tests.subscriptions.simulation.mortal import Killed, Mortal
from tests.subscriptions.simulation.naive import DECLINED, DONE, REFUSED


@dataclass(frozen=True)
class Tick:
    """What happens at an instant."""

    at: datetime
    do: Callable[[datetime], None]


class Company:
    """The customers of these contracts, until an instant. ``deaths``: how likely a process is to be killed at each
    transaction. ``outcomes``: of what each customer has done.
    """

    def __init__(
        self,
        sessions: Sessions,
        contracts: Sequence[Contract],
        *,
        until: datetime = LAST,
        deaths: float = 0,
        workers: int = 1,
    ) -> None:
        self.sessions, self.contracts, self.until, self.workers = sessions, contracts, until, workers
        self.mortal = Mortal(sessions, deaths, 7)
        self.gateway = SandboxGateway(self.mortal, settings())
        with sessions.begin() as session:
            self.customers = [a_customer_of(session, number, one) for number, one in enumerate(contracts)]
        self.outcomes: list[list[str]] = [[] for _ in contracts]
        self._calls = sorted((call, number) for number, one in enumerate(contracts) for call in one.calls)
        self._last_run = FIRST

    @property
    def over(self) -> datetime:
        """The last instant at which the jobs run."""
        return self.until + timedelta(hours=2)

    def live(self, runs: Sequence[datetime] | None, *, standstill: tuple[datetime, datetime] | None = None) -> None:
        """Let time pass. ``runs``: when the jobs run, if anything is due by then; None: whenever an hour begins in
        which something is due. Between both instants of ``standstill`` they do not run at all.
        """
        ticks = [*self._acts(), Tick(self.until, lambda _: None)]
        if runs is not None:
            ticks += [
                Tick(at, self._run_if_due)
                for at in runs
                if at < self.until and not (standstill and standstill[0] < at < standstill[1])
            ]
        for tick in sorted(ticks, key=lambda tick: tick.at):
            if runs is None:
                self._every_hour(until=tick.at)
            tick.do(tick.at)
        # What was cut off is gone on with after some minutes.
        for hours in (0, 1, 2):
            self.mortal.share = 0 if hours else self.mortal.share
            self._run(self.until + timedelta(hours=hours))

    def _every_hour(self, until: datetime) -> None:
        while (due := self._next_due()) is not None and (hour := _full(due)) <= until:
            self._run(max(hour, self._last_run + timedelta(hours=1)))

    def _run_if_due(self, now: datetime) -> None:
        due = self._next_due()
        if due is not None and due <= now:
            self._run(now)

    def _next_due(self) -> datetime | None:
        with self.sessions() as session:
            held = Subscription.held_at.is_(None)
            following = session.scalar(select(func.min(Subscription.next_at)).where(held))
            collected = session.scalar(select(func.min(SubscriptionInvoice.collect_at)))
        return min(filter(None, (following, collected)), default=None)

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
        self._surviving(lambda: list(clock.run(self.mortal, SYSTEM, self.gateway, now=now)))

    def _surviving(self, work: Callable[[], object]) -> None:
        while True:
            try:
                work()
            except Killed:
                continue
            return

    def _released(self, now: datetime) -> int:
        """A person says yes to what waits for it."""
        with self.sessions.begin() as session:
            waiting = session.scalars(select(Subscription).where(Subscription.held_at.is_not(None))).all()
            for one in waiting:
                assert one.hold_reason == "More than 3 periods have begun since", one.hold_reason
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

    def _acts(self) -> Iterator[Tick]:
        for number, one in enumerate(self.contracts):
            yield Tick(one.begun_at, lambda now, number=number: self._subscribe(number, now))
            for act in one.acts:
                yield Tick(act.at, lambda now, number=number, act=act: self._act(number, act, now))

    def _subscribe(self, number: int, now: datetime) -> None:
        one = self.contracts[number]
        with self.sessions() as session:
            public_id = session.get_one(Customer, self.customers[number]).public_id
        wanted = Wanted(
            public_id,
            one.terms.plan.code,
            trial_days=one.trial_days,
            promo_code=f"CODE-{number}" if one.promo else "",
            seats=one.terms.seats,
            add_ons=dict(one.terms.add_ons),
            tax_rate=one.tax_rate,
        )
        while self._subscription(number) is None:
            try:
                signing_up.subscribe(self.mortal, SYSTEM, self.gateway, wanted, method=one.card, now=now)
            except Killed:
                continue

    def _act(self, number: int, act: Act, now: datetime) -> None:
        """Once what is due of it by then is done."""
        found = self._subscription(number)
        assert found is not None
        self._catch_up(found.id, now)
        try:
            self._do(found, act, now)
        except (Conflict, Invalid):
            self.outcomes[number].append(REFUSED)
        except Declined:
            self.outcomes[number].append(DECLINED)
        else:
            self.outcomes[number].append(DONE)

    def _catch_up(self, subscription_id: int, now: datetime) -> None:
        """By somebody who is not killed."""
        gateway, only = SandboxGateway(self.sessions, settings()), range(subscription_id, subscription_id + 1)
        self._take_calls(now)
        clock.recover(self.sessions, SYSTEM, gateway, now=now)
        while True:
            list(clock.renew(self.sessions, SYSTEM, now=now, within=only))
            if not self._released(now):
                break
        of_it = SubscriptionInvoice.subscription_id == subscription_id
        with self.sessions() as session:
            due = session.scalars(select(SubscriptionInvoice.id).where(of_it, SubscriptionInvoice.collect_at <= now))
            billed = list(due)
        for billed_id in billed:
            collecting.collect(self.sessions, SYSTEM, gateway, billed_id, now=now)

    def _do(self, found: Subscription, act: Act, now: datetime) -> None:
        match act:
            case Change():
                self._change(found.public_id, act, now)
            case Cancel():
                self._cancel(found, act, now)
            case Replace():
                self._surviving(
                    lambda: paying.replace(self.mortal, SYSTEM, self.gateway, found.public_id, act.card, now=now)
                )
            case Move():
                with self.sessions.begin() as session:
                    version, facts = session.get_one(Customer, found.customer_id).version, {"time_zone": act.zone}
                    zone_changes.change_customer(
                        session, SYSTEM, found.customer_id, version=version, facts=facts, now=now
                    )
            case Pause() | Resume():
                verb = pausing.pause if isinstance(act, Pause) else pausing.resume
                with self.sessions.begin() as session:
                    verb(session, SYSTEM, found.public_id, now=now)
            case Withdraw():
                self._withdraw(found, now)

    def _change(self, public_id: str, act: Change, now: datetime) -> None:
        """Exactly what was shown, once, however often its process is killed meanwhile."""
        wanted = WantedChange(
            act.plan and act.plan.code, act.seats, act.add_ons, None if act.when is None else When(act.when)
        )
        with self.sessions() as session:
            token = changing.preview(session, SYSTEM, public_id, wanted, now=now).token
        while True:
            try:
                changing.change(self.mortal, SYSTEM, self.gateway, public_id, wanted, token=token, now=now)
            except Killed:
                self._recover(now)
                continue
            return

    def _recover(self, now: datetime) -> None:
        """What was cut off then is completed, some minutes later."""
        later = now + timedelta(minutes=11)
        self._surviving(lambda: clock.recover(self.mortal, SYSTEM, self.gateway, now=later))

    def _cancel(self, found: Subscription, act: Cancel, now: datetime) -> None:
        if act.how == PERIOD_END:
            ending = Ending(at_period_end=True)
        else:
            ending = Ending(unused=Unused(act.how), open_invoices=OpenInvoices.VOID if act.void else OpenInvoices.KEEP)
        try:
            cancelling.cancel(self.mortal, SYSTEM, self.gateway, found.public_id, ending, now=now)
        except Killed:
            self._recover(now)
            with self.sessions() as session:
                is_done = session.get_one(Subscription, found.id).canceled_at is not None
            if not is_done:
                self._cancel(found, act, now)

    def _withdraw(self, found: Subscription, now: datetime) -> None:
        scheduled = select(func.max(SubscriptionChange.id)).where(
            SubscriptionChange.subscription_id == found.id, SubscriptionChange.state == ChangeState.SCHEDULED
        )
        with self.sessions.begin() as session:
            change_id = session.scalar(scheduled)
            if change_id is None:
                raise Conflict("Nothing is scheduled")
            changing.withdraw(session, SYSTEM, found.public_id, change_id, now=now)

    def _subscription(self, number: int) -> Subscription | None:
        with self.sessions() as session:
            return session.scalars(
                select(Subscription).where(Subscription.customer_id == self.customers[number])
            ).one_or_none()


def _full(moment: datetime) -> datetime:
    """The hour that begins then or next."""
    begun = moment.replace(minute=0, second=0, microsecond=0)
    return begun if begun == moment else begun + timedelta(hours=1)
