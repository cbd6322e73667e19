"""Changing the details of our own businesses."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.choices import COLLECTS_BY, LATE_USAGE, countries
from billing_core.businesses.models import Business
from billing_core.businesses.number_format import check_format, counter_of, key_of
from billing_core.dates import time_zone
from billing_core.email_addresses import address_fault
from billing_core.errors import BillingError, Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.money import currency_code
from billing_core.pdf_layout.paper_size import PaperSize
from billing_core.text import reason_of


@dataclass(frozen=True, slots=True)
class Details:
    """What people may change. ``currency`` is what new customers start with; ``time_zone`` of the first business
    decides what a day is. ``payment_terms`` such as "Net 30" and the number formats are for documents that are still to
    be made. ``country`` is an ISO 3166 code, or empty: that of the time zone.
    """

    name: str
    address: str
    tax_id: str
    currency: str
    time_zone: str
    email: str = ""
    phone: str = ""
    bank_details: str = ""
    payment_terms: str = "Net 30"
    invoice_format: str = "INV-{year}-{seq:03}"
    credit_note_format: str = "CN-{year}-{seq:03}"
    invoice_footer: str = ""
    zero_tax_reason: str = ""
    paper: str = ""
    country: str = ""
    register_number: str = ""


LONGEST = {
    "name": 200,
    "address": 1000,
    "tax_id": 64,
    "email": 254,
    "phone": 64,
    "bank_details": 1000,
    "payment_terms": 200,
    "invoice_footer": 500,
    "zero_tax_reason": 200,
    "register_number": 120,
}


def details(business: Business) -> Details:
    return Details(*(getattr(business, field.name) for field in fields(Details)))


def change(
    session: Session,
    actor: Actor,
    *,
    wanted: Details,
    drawn_from: int,
    now: datetime,
    business_id: int | None = None,
) -> Business:
    """Save a business's details (None: the first one's). ``drawn_from`` is the version that the form showed.

    Conflict where somebody has saved in between, naming what they changed; Invalid names each field at fault.
    """
    actor.require(Permission.BUSINESS_WRITE)
    business = _for_change(session, business_id)
    if business.version != drawn_from:
        raise Conflict(f"Somebody has saved this page in the meantime. {_now_reads(business, wanted)}")
    return _save(session, actor, business, checked(wanted), "business.change", now=now)


def create(session: Session, actor: Actor, *, wanted: Details, now: datetime) -> Business:
    """Another legal entity of ours, with its own number series."""
    actor.require(Permission.BUSINESS_WRITE)
    cleaned = checked(wanted)
    business = Business(**asdict(cleaned), set_up_at=now)
    session.add(business)
    session.flush()
    audit.record(
        session,
        actor,
        "business.create",
        ("business", business.id),
        label=business.name,
        after=asdict(cleaned),
        now=now,
    )
    return business


def set_active(session: Session, actor: Actor, business_id: int, *, active: bool, now: datetime) -> Business:
    """Offer a business for new documents, or no longer; its existing documents stay as they are."""
    actor.require(Permission.BUSINESS_WRITE)
    business = _for_change(session, business_id)
    if business.active == active:
        return business
    others = session.scalar(select(Business.id).where(Business.active, Business.id != business_id).limit(1))
    if not active and others is None:
        raise Conflict("This is the only business that issues documents: add another one first")
    return _set(session, actor, business, "active", active, now=now)


def collect_by(session: Session, actor: Actor, business_id: int, way: str, *, now: datetime) -> Business:
    """How Stripe collects for a business, one of ``choices.COLLECTS_BY``; existing links stay as they are."""
    actor.require(Permission.BUSINESS_WRITE)
    if way not in COLLECTS_BY:
        raise Invalid("Stripe cannot collect in this way", fields={"collects_by": f"one of {', '.join(COLLECTS_BY)}"})
    return _set(session, actor, _for_change(session, business_id), "collects_by", way, now=now)


def treat_late_usage(
    session: Session, actor: Actor, business_id: int, way: str, *, reason: str = "", now: datetime
) -> Business:
    """What happens to usage that changes a billed period, one of ``choices.LATE_USAGE``; waiving needs its reason."""
    actor.require(Permission.BUSINESS_WRITE)
    if way not in LATE_USAGE:
        raise Invalid("Late usage cannot be treated so", fields={"late_usage": f"one of {', '.join(LATE_USAGE)}"})
    why = reason_of(reason) if way == "waive" else ""
    business = _for_change(session, business_id)
    _set(session, actor, business, "late_usage_reason", why, now=now)
    return _set(session, actor, business, "late_usage", way, now=now)


def set_up(session: Session, actor: Actor, *, wanted: Details, now: datetime) -> Business:
    """Say for the first time what the first business is called, and as much more as is known."""
    actor.require(Permission.BUSINESS_WRITE)
    business = _for_change(session)
    business.set_up_at = now
    return _save(session, actor, business, checked(wanted), "business.set_up", now=now)


def checked(wanted: Details) -> Details:
    """The details as they are stored; Invalid with a reason for each field that is wrong."""
    reasons: dict[str, str] = {}
    texts = {name: value.strip() for name, value in asdict(wanted).items()}
    texts["name"] = " ".join(texts["name"].split())
    if not texts["name"]:
        reasons["name"] = "is needed"
    if not texts["payment_terms"]:
        reasons["payment_terms"] = "are needed, such as Net 30: without them no invoice has a due date"
    for field, longest in LONGEST.items():
        if len(texts[field]) > longest:
            reasons[field] = f"may have at most {longest} characters"
        if not texts[field].replace("\r", "").replace("\n", "").isprintable():
            reasons[field] = "has characters in it that cannot be printed"
    checks = {
        "currency": currency_code,
        "time_zone": time_zone,
        "invoice_format": check_format,
        "credit_note_format": check_format,
    }
    for field, known in checks.items():
        try:
            texts[field] = known(texts[field])
        except BillingError as error:
            reasons[field] = str(error)
    if _same_numbers(texts["invoice_format"], texts["credit_note_format"]):
        reasons["credit_note_format"] = "must differ from the invoices' format, or two documents had one number"
    if texts["paper"] and texts["paper"] not in list(PaperSize):
        reasons["paper"] = f"one of {', '.join(PaperSize)}, or empty: as usual in the country of the time zone"
    if texts["country"] and texts["country"] not in countries():
        reasons["country"] = "is no country's two-letter code"
    if texts["email"] and (fault := address_fault(texts["email"])):
        reasons["email"] = fault
    if reasons:
        raise Invalid("Some of the details cannot be saved", fields=reasons)
    return Details(**texts)


def _same_numbers(one: str, other: str) -> bool:
    """Whether two formats make the same numbers, but for zeros and the case of letters."""
    return key_of(counter_of(one)) == key_of(counter_of(other))


def _for_change(session: Session, business_id: int | None = None) -> Business:
    statement = select(Business).order_by(Business.id).limit(1).with_for_update(key_share=True)
    if business_id is not None:
        statement = statement.where(Business.id == business_id)
    business = session.scalars(statement).one_or_none()
    if business is None:
        raise NotFound(f"There is no business {business_id}")
    return business


def _set(session: Session, actor: Actor, business: Business, name: str, value: object, *, now: datetime) -> Business:
    """Set a single fact that is not on its documents."""
    before = getattr(business, name)
    if before != value:
        setattr(business, name, value)
        session.flush()
        audit.record(
            session,
            actor,
            "business.change",
            ("business", business.id),
            label=business.name,
            before={name: before},
            after={name: value},
            now=now,
        )
    return business


def _save(
    session: Session, actor: Actor, business: Business, cleaned: Details, action: str, *, now: datetime
) -> Business:
    before, after = audit.changed(asdict(details(business)), asdict(cleaned))
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


def _now_reads(business: Business, proposed: Details) -> str:
    """The present values of the fields that differ from what this person tried to save."""
    current = asdict(details(business))
    differing = [
        f"{name.replace('_', ' ')} is now “{current[name]}”"
        for name, value in asdict(proposed).items()
        if current[name] != value
    ]
    return "; ".join(differing) if differing else "It already reads as you wanted."
