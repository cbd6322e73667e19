"""What happens to a payment link of the demo company, by the real services and in the sandbox's books.

What the sandbox tells is applied at once instead of over HTTP, at the instants that the story has come to.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.dates import start_of_day
from billing_core.demo.billing import Books
from billing_core.identity import Actor
from billing_core.invoices.payment_links import GATEWAY, Mode
from billing_core.mailing.mails import MAIL
from billing_core.online_payments.links import checkout, workflow
from billing_core.online_payments.models import SANDBOX, SandboxCharge
from billing_core.online_payments.sandbox import gateway as sandbox_gateway
from billing_core.online_payments.sandbox.cards import Outcome
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.stripe import API_VERSION
from billing_core.online_payments.stripe.amounts import for_stripe
from billing_core.online_payments.webhooks import fees, inbox
from billing_core.outbox import delivery
from billing_core.outbox.delivery import Claimed
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received
from billing_core.settings import settings

_QUEUE = OutboxMessage.channel.in_([GATEWAY, SANDBOX, MAIL])
MORNING, MOMENT = timedelta(hours=10, minutes=5), timedelta(minutes=1)
_TRIED_AFTER: Final = timedelta(days=3)


class Joined(Sessions):
    """Sessions that all work within one transaction: what one of them commits is there once that one is."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.engine)
        self._connection = connection

    def __call__(self) -> Session:
        return Session(self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint")

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with self() as session, session.begin():
            yield session


class Told(Protocol):
    """A story by these services, and the instant that it has come to."""

    sessions: Sessions
    actor: Actor
    now: datetime

    @property
    def gateway(self) -> SandboxGateway: ...


@dataclass(slots=True)
class Story:
    """One invoice, and the instant that its story has come to."""

    sessions: Sessions
    actor: Actor
    books: Books
    invoice_id: int
    number: str
    currency: str
    amount_minor: int
    issued_on: date
    due_on: date
    now: datetime

    @property
    def gateway(self) -> SandboxGateway:
        return SandboxGateway(self.sessions, settings(), now_of=lambda: self.now)

    @property
    def paid_on(self) -> date:
        """Whoever pays by a link does so a few days before it is time; the same day every time."""
        return max(self.issued_on + timedelta(days=1), self.due_on - timedelta(days=2 + self.amount_minor % 9))

    def at(self, day: date) -> None:
        """Go on at that day's morning."""
        self.now = max(self.now + MOMENT, start_of_day(self.books.zone, day) + MORNING)

    def to_come(self, day: date) -> bool:
        """What today brings is not known yet."""
        return day >= self.books.today


def create(story: Story) -> int:
    return workflow.create(story.sessions, story.actor, story.gateway, story.invoice_id, now=story.now)


def click(story: Story, link_id: int, day: date) -> None:
    if story.to_come(day):
        return
    story.at(day)
    with story.sessions.begin() as session:
        checkout.note_click(session, link_id, now=story.now)


def try_card(story: Story, link_id: int, outcome: Outcome) -> None:
    """With a card that is not taken."""
    click(story, link_id, story.issued_on + _TRIED_AFTER)
    charge(story, link_id, outcome)
    deliver(story)


def pay(story: Story, link_id: int) -> Payment | None:
    """None where the day for it has not come."""
    if story.to_come(story.paid_on):
        return None
    click(story, link_id, story.paid_on)
    intent_id = charge(story, link_id, Outcome.SUCCEEDS)
    deliver(story)
    with story.sessions() as session:
        return session.scalars(select(Payment).where(Payment.gateway_key == intent_id)).one()


def charge(story: Story, link_id: int, outcome: Outcome) -> str:
    story.now += MOMENT
    with story.sessions.begin() as session:
        return sandbox_gateway.pay(session, story.actor, link_id, outcome, now=story.now).intent_id


def transfer(story: Story, amount_minor: int) -> None:
    day = story.now.date()
    money = Received(story.currency, amount_minor, PaymentMethod.BANK_TRANSFER, day, reference=story.number)
    with story.sessions.begin() as session:
        received.record_for(session, story.actor, story.invoice_id, received=money, today=day, now=story.now)


def deliver(story: Told) -> None:
    """What the jobs would do: bring the sandbox's events, apply them, and ask for what each payment cost. Mails have
    long been sent: nobody gets one.
    """

    def to_inbox(message: Claimed) -> None:
        payload = message.content["event"]
        with story.sessions.begin() as session:
            inbox.store(session, json.loads(payload), payload.encode(), now=story.now)

    def to_gateway(message: Claimed) -> None:
        if message.topic != fees.FETCH_DETAILS:
            return
        payment_id = message.content["payment_id"]
        with story.sessions.begin() as session:
            details = story.gateway.details(session.get_one(Payment, payment_id).gateway_key or "")
            fees.note(session, story.actor, payment_id, details, now=story.now)

    # The company has a mail server, whatever there is here: it has kept none, and replaced none that was kept.
    with story.sessions.begin() as session:
        kept = OutboxMessage.state.in_([MessageState.HELD_BACK, MessageState.RECALLED])
        session.execute(update(OutboxMessage).where(kept).values(state=MessageState.WAITING, last_error=""))
    adapters = {SANDBOX: to_inbox, GATEWAY: to_gateway, MAIL: lambda _message: None}
    for _ in range(2):
        story.now += MOMENT
        delivery.deliver_due(story.sessions, adapters, queue=_QUEUE, now_of=lambda: story.now)
        inbox.apply_due(story.sessions, Mode.SANDBOX, now_of=lambda: story.now)


def dispute(story: Story, payment: Payment) -> None:
    """The card's holder has asked the bank for the money back; the bank tells."""
    with story.sessions.begin() as session:
        paid = session.scalars(select(SandboxCharge).where(SandboxCharge.intent_id == payment.intent_id)).one()
        event = _dispute_event(paid, story.now)
        inbox.store(session, event, json.dumps(event).encode(), now=story.now)
    deliver(story)


def _dispute_event(paid: SandboxCharge, now: datetime) -> dict[str, Any]:
    """As Stripe shapes it; the sandbox's cardholders dispute nothing by themselves."""
    named, at = paid.charge_id.removeprefix("ch_"), int(now.timestamp())
    dispute = {
        "id": f"du_{named}",
        "object": "dispute",
        "amount": for_stripe(paid.amount_minor, paid.currency),
        "currency": paid.currency.lower(),
        "charge": paid.charge_id,
        "payment_intent": paid.intent_id,
        "reason": "product_not_received",
        "status": "needs_response",
        "created": at,
        "metadata": {},
        "livemode": False,
    }
    return {
        "id": f"evt_{named}",
        "object": "event",
        "api_version": API_VERSION,
        "created": at,
        "livemode": False,
        "type": "charge.dispute.created",
        "data": {"object": dispute},
    }
