"""What a person can do with a customer. New customers come by import."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries
from billing_core.customers.countries import country_code
from billing_core.customers.models import Customer
from billing_core.dates import time_zone
from billing_core.email_addresses import address_fault
from billing_core.errors import Conflict, Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.languages.available import SOURCE_LANGUAGE, languages, nearest, own_name, regions
from billing_core.recipients import LISTS, kept
from billing_core.text import control_character, reason_of

# The editable fields, with the length of each as declared by its column.
LENGTHS: dict[str, int] = {
    name: Customer.__table__.c[name].type.length  # type: ignore[attr-defined]
    for name in (
        "name",
        "email",
        *LISTS,
        "phone",
        "address",
        "city",
        "state",
        "postal_code",
        "country",
        "tax_id",
        "zero_tax_reason",
        "language",
        "payment_terms",
        "time_zone",
        "format_region",
    )
}


def change(
    session: Session, actor: Actor, customer_id: int, *, version: int, facts: Mapping[str, str], now: datetime
) -> Customer:
    """Change a customer's name, address and other facts. ``version`` is the one that the form was drawn from.

    The ref is how other systems know the customer and the currency decides what its rates mean: neither changes here.
    """
    actor.require(Permission.CUSTOMER_WRITE)
    changes = checked(facts)
    customer = queries.for_change(session, actor, customer_id)
    if customer.version != version:
        raise Conflict("Somebody else has changed this customer meanwhile. Look at it again before you save.")
    _check_region(changes, customer)
    return _save(session, actor, Permission.CUSTOMER_WRITE, customer, changes, now)


def hold(
    session: Session, actor: Actor, customer_id: int, *, until: date, reason: str, now: datetime, today: date
) -> Customer:
    """Send this customer no reminders up to and including that day."""
    actor.require(Permission.REMINDER_WRITE)
    why = reason_of(reason)[:200]
    if until < today:
        raise Invalid("The hold would be over already", fields={"until": "lies in the past"})
    customer = queries.for_change(session, actor, customer_id)
    facts = {"held_until": until, "hold_reason": why}
    return _save(session, actor, Permission.REMINDER_WRITE, customer, facts, now)


def release(session: Session, actor: Actor, customer_id: int, *, now: datetime) -> Customer:
    """End a customer's hold on reminders."""
    actor.require(Permission.REMINDER_WRITE)
    customer = queries.for_change(session, actor, customer_id)
    facts = {"held_until": None, "hold_reason": ""}
    return _save(session, actor, Permission.REMINDER_WRITE, customer, facts, now)


def _save(
    session: Session,
    actor: Actor,
    permission: Permission,
    customer: Customer,
    facts: Mapping[str, Any],
    now: datetime,
) -> Customer:
    """Set the fields that differ, with their trace; does nothing where none does."""
    before, after = audit.changed({name: getattr(customer, name) for name in facts}, facts)
    if after:
        for name, value in after.items():
            setattr(customer, name, value)
        subject = ("customer", customer.id)
        audit.record(session, actor, permission, subject, label=customer.name, before=before, after=after, now=now)
        session.flush()
    return customer


def _check_region(changes: Mapping[str, str], customer: Customer) -> None:
    """Whether the region chosen for numbers and dates writes the customer's language, as they will be."""
    language = nearest(changes.get("language", customer.language))
    region = changes.get("format_region", customer.format_region)
    if region and region not in regions(language):
        reason = f"is no country whose way of writing {own_name(language)} is known"
        raise Invalid("The customer was not saved", fields={"format_region": reason})


def checked(facts: Mapping[str, str]) -> dict[str, str]:
    """The fields as they are stored; Invalid with a reason for each that is wrong."""
    unknown = sorted(set(facts) - set(LENGTHS))
    if unknown:
        raise Invalid(f"{unknown[0]} cannot be changed", fields={unknown[0]: "cannot be changed"})
    stripped = {name: value.strip() for name, value in facts.items()}
    problems: dict[str, str] = {}
    for name in ("country", "format_region"):
        if country := stripped.get(name, ""):
            code = country_code(country)
            if code is None:
                problems[name] = "is not a country that we know, by name or ISO code"
            else:
                stripped[name] = code
    problems |= {
        name: f"is longer than {LENGTHS[name]} characters"
        for name, value in stripped.items()
        if len(value) > LENGTHS[name] and name not in problems
    }
    problems |= {
        name: f"contains the control character {character}"
        for name, value in stripped.items()
        if (character := control_character(value))
    }
    if stripped.get("name") == "":
        problems["name"] = "must not be empty"
    if stripped.get("language", SOURCE_LANGUAGE) not in languages():
        problems["language"] = f"is none of {', '.join(languages())}"
    if zone := stripped.get("time_zone"):
        try:
            time_zone(zone)
        except Invalid as invalid:
            problems["time_zone"] = str(invalid)
    email = stripped.get("email", "")
    if email and (fault := address_fault(email)):
        problems["email"] = fault
    lists, faults = kept(email, {name: stripped[name] for name in LISTS if name in stripped})
    stripped |= lists
    problems |= {name: fault for name, fault in faults.items() if name not in problems}
    if problems:
        raise Invalid("The customer was not saved", fields=problems)
    return stripped
