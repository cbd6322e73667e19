"""Mails about thresholds that usage has reached: to people of ours in English, to customers in their language."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.languages.formats import writing
from billing_core.mailing import letters, mails
from billing_core.mailing.models import MailKind
from billing_core.metering.alerts import AlertMeasure, ReachedThreshold, UsageAlert
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message
from billing_core.recipients import Recipients
from billing_core.usage.alerts import ReachedRow


def send(session: Session, actor: Actor, reached: Sequence[ReachedRow], *, now: datetime) -> int:
    """Mail everybody who is to be told of these; returns how many mails there are."""
    actor.require(Permission.PLAN_WRITE)
    if not reached:
        return 0
    rows = session.execute(
        select(ReachedThreshold.id, UsageAlert, Customer, Business)
        .join(UsageAlert, UsageAlert.id == ReachedThreshold.alert_id)
        .join(Customer, Customer.id == ReachedThreshold.customer_id)
        .join(Business, Business.id == Customer.business_id)
        .where(among(ReachedThreshold.id, [one.id for one in reached]))
    )
    concerning = {row[0]: row[1:] for row in rows}
    texts = letters.wordings(session, {business.id for _, _, business in concerning.values()})
    messages = [message for one in reached for message in _mails(one, *concerning[one.id], texts)]
    outbox.put_many(session, actor, messages, now=now)
    return len(messages)


def _mails(
    one: ReachedRow, alert: UsageAlert, customer: Customer, business: Business, texts: letters.Wordings
) -> Iterator[Message]:
    addresses = [(Recipients((address,)), SOURCE_LANGUAGE) for address in alert.recipients]
    # A customer without an address is told by nobody, as with every other mail.
    if alert.to_customer and customer.email:
        addresses.append((mails.recipients_of_customer(customer), customer.locale))
    for number, (recipients, language) in enumerate(addresses, start=1):
        wording = texts.of(business.id, MailKind.USAGE_ALERT, language)
        yield mails.mail(
            MailKind.USAGE_ALERT,
            subject=("customer", customer.id),
            to=recipients,
            customer_id=customer.id,
            letter=letters.letter(wording, values(one, business.name, language), language),
            sender=issuers.of_business(business),
            attachments=[],
            name=f"mail:usage_threshold:{one.id}:{number}",
        )


def values(reached: ReachedRow, business_name: str, language: str) -> dict[str, Any]:
    """The values for a mail about a threshold."""
    words = writing(language)
    cost = None if reached.cost_minor is None else words.money(reached.cost_minor, reached.currency)
    match reached.measure:
        case AlertMeasure.ALLOWANCE:
            threshold = words.percent(Decimal(reached.threshold))
        case AlertMeasure.CALLS:
            threshold = words.quantity(Decimal(reached.threshold))
        case AlertMeasure.COST:
            threshold = words.money(reached.threshold, reached.alert_currency)
    return {
        "customer_name": reached.customer,
        "business_name": business_name,
        "from_day": words.long_day(reached.first_day),
        "to_day": words.long_day(reached.last_day),
        "threshold": threshold,
        "of_allowance": reached.measure is AlertMeasure.ALLOWANCE,
        "in_calls": reached.measure is AlertMeasure.CALLS,
        "calls": words.quantity(Decimal(reached.calls)),
        "included_calls": words.quantity(Decimal(reached.included_calls)) if reached.included_calls else "",
        "cost": cost or "",
    }
