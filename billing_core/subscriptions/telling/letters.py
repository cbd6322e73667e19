"""Mails about subscriptions, put into the outbox with what they tell of: a customer without an address gets none."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.dates import day_in
from billing_core.identity import Actor
from billing_core.invoices import issuers
from billing_core.languages.formats import writing
from billing_core.mailing import letters, mails, service
from billing_core.mailing.models import MailKind
from billing_core.online_payments.models import AttemptState, ChargeAttempt, PaymentMethodOnFile
from billing_core.online_payments.off_session import methods, requests
from billing_core.outbox import service as outbox
from billing_core.plans.models import Plan, PlanVersion
from billing_core.subscriptions.models import Subscription


def trial_ending(session: Session, actor: Actor, subscription: Subscription, *, goes_on: bool, now: datetime) -> None:
    """Once; ``goes_on``: also without a card."""
    assert subscription.trial_ends_at is not None  # noqa: S101  # it is in its trial
    card = _card(session, subscription)
    values = {
        "plan": _plan(session, subscription),
        "ends_on": _day(session, subscription, subscription.trial_ends_at),
        "card": card,
        "goes_on": goes_on,
        "card_link": "" if card else _card_link(session, actor, [subscription], now=now),
    }
    _put(session, actor, MailKind.TRIAL_ENDING, subscription, values, f"trial:{subscription.public_id}", now=now)


def charge_failed(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    attempt: ChargeAttempt,
    *,
    next_at: datetime | None,
    again: int | None = None,
    now: datetime,
) -> bool:
    """Once for each attempt, with the ways to pay. ``again``: because a person wants it, after so many; such a mail can
    be recalled for a moment, like all that people send. False where the invoice has no address to send to.
    """
    (invoice,) = service.views(session, actor, [attempt.invoice_id])
    if mails.recipients_of_invoice(invoice).reason:
        return False
    sender = letters.senders(session, [invoice])[invoice.id]
    values = letters.invoice_values(invoice, sender, today=businesses.days(session, now=now)) | {
        "card": methods.card_on_file(session, attempt.method_id),
        "to_confirm": attempt.state is AttemptState.AUTHENTICATION,
        "next_on": "" if next_at is None else _day(session, subscription, next_at),
        "card_link": _card_link(session, actor, [subscription], now=now),
    }
    wording = letters.wordings(session, [invoice.business_id])
    message = mails.mail(
        MailKind.CHARGE_FAILED,
        subject=("invoice", invoice.id),
        to=mails.recipients_of_invoice(invoice),
        customer_id=invoice.customer_id,
        letter=letters.letter(
            wording.of(invoice.business_id, MailKind.CHARGE_FAILED, invoice.language), values, invoice.language
        ),
        sender=sender,
        attachments=[["invoice_pdf", invoice.id]],
        name=f"mail:charge:{attempt.public_id}" + (f":{again}" if again else ""),
    )
    outbox.replace_kept(session, actor, "invoice", [invoice.id], [MailKind.CHARGE_FAILED], now=now, key=message.key)
    outbox.put(session, actor, message, now=now, not_before=None if again is None else now + service.RECALLABLE)
    return True


def card_expiring(
    session: Session,
    actor: Actor,
    method: PaymentMethodOnFile,
    charged: Sequence[Subscription],
    *,
    days: int,
    now: datetime,
) -> None:
    """Once for so many days before its last one; ``charged``: to it, of one customer, at least one."""
    customer = session.get_one(Customer, method.customer_id)
    values = {
        "plan": ", ".join(dict.fromkeys(_plan(session, one) for one in charged)),
        "card": methods.card_of(method),
        "expires_on": writing(customer.locale).long_day(method.expires_on),
        "card_link": _card_link(session, actor, charged, now=now),
    }
    _put(session, actor, MailKind.CARD_EXPIRING, charged[0], values, f"card:{method.public_id}:{days}", now=now)


def card_asked_for(session: Session, actor: Actor, subscription: Subscription, *, number: int, now: datetime) -> bool:
    """The ``number``-th time that a person wants it, who can recall it for a moment; False where the customer has no
    address to send to.
    """
    card = _card(session, subscription)
    values = {
        "plan": _plan(session, subscription),
        "card": card,
        "expires_on": _last_day(session, subscription) if card else "",
        "card_link": _card_link(session, actor, [subscription], now=now),
    }
    name = f"card_request:{subscription.public_id}:{number}"
    not_before = now + service.RECALLABLE
    return _put(session, actor, MailKind.CARD_REQUEST, subscription, values, name, now=now, not_before=not_before)


def ended(session: Session, actor: Actor, subscription: Subscription, *, now: datetime) -> None:
    """Once: it never begins again."""
    assert subscription.canceled_at is not None  # noqa: S101  # it is canceled
    values = {
        "plan": _plan(session, subscription),
        "ended_on": _day(session, subscription, subscription.canceled_at),
    }
    _put(session, actor, MailKind.SUBSCRIPTION_ENDED, subscription, values, f"ended:{subscription.public_id}", now=now)


def _put(
    session: Session,
    actor: Actor,
    kind: MailKind,
    subscription: Subscription,
    values: dict[str, Any],
    name: str,
    *,
    now: datetime,
    not_before: datetime | None = None,
) -> bool:
    customer = session.get_one(Customer, subscription.customer_id)
    business = session.get_one(Business, subscription.business_id)
    if mails.recipients_of_customer(customer).reason:
        return False
    wording = letters.wordings(session, [business.id]).of(business.id, kind, customer.locale)
    known = {"customer_name": customer.name or customer.email, "business_name": business.name}
    message = mails.mail(
        kind,
        subject=("subscription", subscription.id),
        to=mails.recipients_of_customer(customer),
        customer_id=customer.id,
        letter=letters.letter(wording, known | values, customer.locale),
        sender=issuers.of_business(business),
        attachments=[],
        name=f"mail:{name}",
    )
    outbox.replace_kept(session, actor, "subscription", [subscription.id], [kind], now=now, key=message.key)
    outbox.put(session, actor, message, now=now, not_before=not_before)
    return True


def _plan(session: Session, subscription: Subscription) -> str:
    named = select(Plan.name).join(PlanVersion, PlanVersion.plan_id == Plan.id)
    return session.scalars(named.where(PlanVersion.id == subscription.plan_version_id)).one()


def _card(session: Session, subscription: Subscription) -> str:
    """The card that is charged; empty where there is none."""
    method = session.get(PaymentMethodOnFile, subscription.payment_method_id or 0)
    return "" if method is None or method.detached_at is not None else methods.card_of(method)


def _last_day(session: Session, subscription: Subscription) -> str:
    """Of the card that is charged."""
    method = session.get_one(PaymentMethodOnFile, subscription.payment_method_id)
    return writing(session.get_one(Customer, subscription.customer_id).locale).long_day(method.expires_on)


def _day(session: Session, subscription: Subscription, at: datetime) -> str:
    language = session.get_one(Customer, subscription.customer_id).locale
    return writing(language).long_day(day_in(subscription.zone, at))


def _card_link(session: Session, actor: Actor, asking: Sequence[Subscription], *, now: datetime) -> str:
    """Where the customer gives us a card for these subscriptions."""
    for one in asking:
        one.card_asked_at = one.card_asked_at or now
    return letters.card_link(requests.ask_again(session, actor, asking[0].customer_id, now=now).token)
