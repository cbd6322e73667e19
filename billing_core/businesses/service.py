"""Changing what is known about our own business."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.dates import time_zone
from billing_core.errors import BillingError, Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.money import currency_code


@dataclass(frozen=True, slots=True)
class Details:
    """What people may change. ``currency`` is what new customers start with; ``time_zone`` decides what a day is."""

    name: str
    address: str
    tax_id: str
    currency: str
    time_zone: str


LONGEST = {"name": 200, "address": 1000, "tax_id": 64}


def details(business: Business) -> Details:
    return Details(*(getattr(business, field.name) for field in fields(Details)))


def change(session: Session, actor: Actor, *, wanted: Details, drawn_from: int, now: datetime) -> Business:
    """Save the business's details. ``drawn_from`` is the version that the form showed.

    Conflict where somebody has saved in between, naming what they changed; Invalid names each field at fault.
    """
    actor.require(Permission.BUSINESS_WRITE)
    business = _for_change(session)
    if business.version != drawn_from:
        raise Conflict(f"Somebody has saved this page in the meantime. {_now_reads(business, wanted)}")
    return _save(session, actor, business, checked(wanted), "business.change", now=now)


def set_up(session: Session, actor: Actor, *, name: str, currency: str, time_zone: str, now: datetime) -> Business:
    """Name the business for the first time."""
    actor.require(Permission.BUSINESS_WRITE)
    business = _for_change(session)
    wanted = Details(name, business.address, business.tax_id, currency, time_zone)
    business.set_up_at = now
    return _save(session, actor, business, checked(wanted), "business.set_up", now=now)


def checked(wanted: Details) -> Details:
    """The details as they are kept; Invalid with a reason for each field that is wrong."""
    reasons: dict[str, str] = {}
    kept = {name: value.strip() for name, value in asdict(wanted).items()}
    kept["name"] = " ".join(kept["name"].split())
    if not kept["name"]:
        reasons["name"] = "is needed"
    for field, longest in LONGEST.items():
        if len(kept[field]) > longest:
            reasons[field] = f"may have at most {longest} characters"
        if not kept[field].replace("\r", "").replace("\n", "").isprintable():
            reasons[field] = "has characters in it that cannot be printed"
    for field, known in (("currency", currency_code), ("time_zone", time_zone)):
        try:
            kept[field] = known(kept[field])
        except BillingError as error:
            reasons[field] = str(error)
    if reasons:
        raise Invalid("Some of the details cannot be saved", fields=reasons)
    return Details(**kept)


def _for_change(session: Session) -> Business:
    return session.scalars(select(Business).order_by(Business.id).limit(1).with_for_update()).one()


def _save(
    session: Session, actor: Actor, business: Business, wanted: Details, action: str, *, now: datetime
) -> Business:
    before, after = audit.changed(asdict(details(business)), asdict(wanted))
    for name, value in after.items():
        setattr(business, name, value)
    if after or session.is_modified(business):
        session.flush()
        audit.record(
            session,
            actor,
            action,
            ("business", business.id),
            label=business.name,
            before=before,
            after=after,
            now=now,
        )
    return business


def _now_reads(business: Business, wanted: Details) -> str:
    """Which fields differ from what this person wanted to save."""
    current = asdict(details(business))
    differing = [
        f"{name.replace('_', ' ')} is now “{current[name]}”"
        for name, value in asdict(wanted).items()
        if current[name] != value
    ]
    return "; ".join(differing) if differing else "It already reads as you wanted."
