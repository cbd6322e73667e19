"""What a person can change about a customer."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries
from billing_core.customers.countries import country_code
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Invalid
from billing_core.identity.permissions import Actor, Permission

_LONGEST = {
    "name": 200,
    "email": 254,
    "phone": 64,
    "address": 500,
    "city": 120,
    "state": 120,
    "postal_code": 32,
    "country": 100,
    "tax_id": 64,
}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Details:
    """What may be edited by hand; ``country`` as a name or a code, or empty. Key and currency stay as imported."""

    name: str
    email: str = ""
    phone: str = ""
    address: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    tax_id: str = ""


def change_details(
    session: Session, actor: Actor, customer_id: int, details: Details, *, version: int, now: datetime
) -> Customer:
    """``version`` is the one that the form was drawn from: Conflict where somebody else was faster."""
    actor.require(Permission.CUSTOMER_WRITE)
    wanted = _checked(details)
    customer = queries.for_change(session, actor, customer_id)
    if customer.version != version:
        raise Conflict("Somebody else has changed this customer meanwhile. Reload the page and edit it again")
    before = {name: getattr(customer, name) for name in wanted}
    was, became = audit.changed(before, wanted)
    if not became:
        return customer
    for name, value in became.items():
        setattr(customer, name, value)
    audit.record(
        session,
        actor,
        Permission.CUSTOMER_WRITE,
        ("customer", customer.id),
        label=customer.name,
        before=was,
        after=became,
        now=now,
    )
    return customer


def _checked(details: Details) -> dict[str, str]:
    wanted = {name: value.strip() for name, value in asdict(details).items()}
    wrong = {name: f"has more than {most} characters" for name, most in _LONGEST.items() if len(wanted[name]) > most}
    if not wanted["name"]:
        wrong["name"] = "is empty"
    if wanted["email"] and not _ADDRESS.fullmatch(wanted["email"]):
        wrong["email"] = "is not an e-mail address"
    if named := wanted["country"]:
        wanted["country"] = country_code(named) or ""
        if not wanted["country"]:
            wrong["country"] = f"“{named[:60]}” is not a country that we know"
    if wrong:
        raise Invalid("Some details are not right", fields=wrong)
    return wanted
