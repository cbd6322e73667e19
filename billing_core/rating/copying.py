"""One customer's rate card for many others: what would change, and the copying, set by set in the database.

Only customers billed in the card's currency get it. A rate that one of them has already for a service, on any of the
days of the copied rate, is kept, and that rate not copied; or it ends, as the person chooses.
"""

import enum
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    Date,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.ordering import natural
from billing_core.database.types import UtcDateTime
from billing_core.errors import Conflict, Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.rating.models import Rate, Service
from billing_core.rating.pricing import TERMS

SHOWN: Final = 200
NAMED: Final = 100


class Whom(enum.StrEnum):
    """WITHOUT: those billed in the card's currency who have no rate at all. ALL: everybody billed in it. CHOSEN: those
    who are named. Never who is deactivated or was merged, unless named.
    """

    WITHOUT = "without"
    ALL = "all"
    CHOSEN = "chosen"


class Own(enum.StrEnum):
    """What becomes of rates that customers have already for the copied services and days. KEEP: they stay, and are not
    copied over. END: they end on the day before, and those that begin later are withdrawn.
    """

    KEEP = "keep"
    END = "end"


@dataclass(frozen=True, slots=True)
class Request:
    """Copy ``from_customer_id``'s rates as valid on ``starts_on``, from that day to their own last days."""

    from_customer_id: int
    starts_on: date
    whom: Whom
    own: Own
    customer_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CopiedRate:
    """``effect`` is new, or what becomes of the customer's own rate: see ``Copying``."""

    customer_name: str
    service_name: str
    effect: str
    own_from: date | None
    own_to: date | None


@dataclass(frozen=True, slots=True)
class Copying:
    """What copying does: ``customers`` get ``new`` rates; of their own ones so many are ``kept``, are the ``same``
    already, end on the day before (``ended``) or are ``withdrawn``. ``rows`` are the first of all these rates.
    """

    customers: int
    new: int
    kept: int
    same: int
    ended: int
    withdrawn: int
    rows: list[CopiedRate]


_EFFECTS: Final = ("new", "kept", "same", "ended", "withdrawn")
_card = aliased(Rate, name="card")
_own = aliased(Rate, name="own")


def rehearse(session: Session, actor: Actor, request: Request) -> Copying:
    """What copying would change. Changes nothing. Conflict where somebody chosen is billed in another currency."""
    actor.require(Permission.RATE_WRITE)
    return _counted(session, request, _target(session, actor, request))


def copy(session: Session, actor: Actor, request: Request, *, now: datetime) -> Copying:
    """Copy the card; refused as in ``rehearse``, and where nobody would get a rate."""
    actor.require(Permission.RATE_WRITE)
    target = _target(session, actor, request)
    # Nobody is billed meanwhile, and none of these cards changes.
    locked = select(Customer.id).where(or_(Customer.id == request.from_customer_id, target))
    session.execute(locked.order_by(Customer.id).with_for_update(key_share=True)).all()
    done = _counted(session, request, target)
    if not done.new:
        raise Invalid("Nothing would change: nobody gets a rate of this card")
    names = select(Customer.name).where(target).order_by(Customer.id).limit(NAMED)
    facts = {
        "starts_on": request.starts_on,
        "to": request.whom.value,
        "own_rates": request.own.value,
        **{name: getattr(done, name) for name in ("customers", "new", "kept", "same", "ended", "withdrawn")},
        "first_customers": list(session.scalars(names)),
    }
    # Before anything is written: whom it is for may depend on who has rates.
    fresh = _fresh(request, target, now)
    if request.own is Own.END:
        _end(session, request, target, now)
    columns = ["customer_id", "service_id", "valid_from", "valid_to", *TERMS, "created_at"]
    session.execute(insert(Rate).from_select(columns, fresh))
    source = customers.one(session, actor, request.from_customer_id)
    audit.record(session, actor, "rate.copy", ("customer", source.id), label=source.name, after=facts, now=now)
    return done


def _target(session: Session, actor: Actor, request: Request) -> ColumnElement[bool]:
    """In SQL: the customers who get the card."""
    source = customers.one(session, actor, request.from_customer_id)
    if not session.scalar(select(exists().where(_on_card(request)))):
        raise Invalid(f"{source.name} has no rates on {request.starts_on}")
    others = and_(visible_to(actor), Customer.id != source.id, Customer.merged_into_id.is_(None))
    in_currency = and_(others, Customer.currency == source.currency)
    if request.whom is Whom.CHOSEN:
        if not request.customer_ids:
            raise Invalid("Choose the customers to copy to", fields={"customer_ids": "names nobody"})
        chosen = Customer.id.in_(request.customer_ids)
        _refuse_foreign(session, source, and_(others, chosen, Customer.currency != source.currency))
        return and_(in_currency, chosen)
    if request.whom is Whom.ALL:
        return and_(in_currency, Customer.active)
    any_rate = aliased(Rate, name="any_rate")
    priced = exists().where(any_rate.customer_id == Customer.id, any_rate.withdrawn_at.is_(None))
    return and_(in_currency, Customer.active, ~priced)


def _refuse_foreign(session: Session, source: Customer, foreign: ColumnElement[bool]) -> None:
    rows = session.execute(select(Customer.name, Customer.currency).where(foreign).order_by(Customer.id).limit(5))
    if named := ", ".join(f"{name} in {currency}" for name, currency in rows):
        raise Conflict(f"{source.name} is billed in {source.currency}, {named}")


def _on_card(request: Request) -> ColumnElement[bool]:
    """In SQL: a rate that would be copied."""
    return and_(
        _card.customer_id == request.from_customer_id,
        _card.withdrawn_at.is_(None),
        _card.valid_from <= request.starts_on,
        or_(_card.valid_to.is_(None), _card.valid_to >= request.starts_on),
    )


def _meets(request: Request) -> ColumnElement[bool]:
    """In SQL: a rate of the customer's own that shares a service and a day with one that would be copied."""
    return and_(
        _own.customer_id == Customer.id,
        _own.service_id == _card.service_id,
        _own.withdrawn_at.is_(None),
        or_(_own.valid_to.is_(None), _own.valid_to >= request.starts_on),
        or_(_card.valid_to.is_(None), _own.valid_from <= _card.valid_to),
    )


def _effect(request: Request) -> ColumnElement[str]:
    """In SQL, of a rate of the card beside one of the customer's own that it meets, or none."""
    alike = (_text(getattr(_own, name)).is_not_distinct_from(_text(getattr(_card, name))) for name in TERMS)
    covers = (_own.valid_from <= request.starts_on, _own.valid_to.is_not_distinct_from(_card.valid_to))
    own: tuple[Any, ...] = ((_own.valid_from < request.starts_on, "ended"),)
    rest = case(*own, else_="withdrawn") if request.own is Own.END else literal("kept")
    return case((_own.id.is_(None), "new"), (and_(*covers, *alike), "same"), else_=rest)


def _text(column: Any) -> ColumnElement[Any]:
    """PostgreSQL has no equality for JSON."""
    return cast(column, String) if isinstance(column.type, JSON) else column


def _pairs(request: Request, target: ColumnElement[bool], *columns: Any) -> Select[*tuple[Any, ...]]:
    """Each customer with each rate of the card, and with the own rates that meet it."""
    pairs = select(*columns).select_from(Customer).join(_card, _on_card(request)).outerjoin(_own, _meets(request))
    return pairs.where(target)


def _counted(session: Session, request: Request, target: ColumnElement[bool]) -> Copying:
    pairs = _pairs(request, target, Customer.id.label("customer_id"), _card.id, _effect(request).label("effect"))
    of_own = pairs.subquery("of_own")

    def having(effect: str) -> ColumnElement[int]:
        return func.count().filter(of_own.c.effect == effect)

    # One rate of the card may meet several of the customer's own, all of which end, or one of which keeps it away.
    by_pair = (
        select(of_own.c.customer_id, *(having(effect).label(effect) for effect in _EFFECTS))
        .group_by(of_own.c.customer_id, of_own.c.id)
        .subquery("by_pair")
    )
    gets = and_(by_pair.c.kept == 0, by_pair.c.same == 0)
    counts = select(
        func.count(func.distinct(case((gets, by_pair.c.customer_id)))),
        func.count().filter(gets),
        *(func.coalesce(func.sum(by_pair.c[effect]), 0) for effect in _EFFECTS[1:]),
    )
    recipients, new, kept, same, ended, withdrawn = map(int, session.execute(counts).one())
    return Copying(recipients, new, kept, same, ended, withdrawn, _rows(session, request, target))


def _rows(session: Session, request: Request, target: ColumnElement[bool]) -> list[CopiedRate]:
    columns = (Customer.name, Service.name, _effect(request), _own.valid_from, _own.valid_to)
    rows = _pairs(request, target, *columns).join(Service, Service.id == _card.service_id)
    rows = rows.order_by(Customer.name_order, Customer.id, natural(Service.name), _card.id, _own.valid_from)
    return [CopiedRate(*row) for row in session.execute(rows.limit(SHOWN))]


def _fresh(request: Request, target: ColumnElement[bool], now: datetime) -> Select[*tuple[Any, ...]]:
    """The rates that come, where none of the customer's own is in their way."""
    columns = (Customer.id, _card.service_id, literal(request.starts_on, Date), _card.valid_to)
    terms = (getattr(_card, name) for name in TERMS)
    rates = select(*columns, *terms, literal(now, UtcDateTime)).select_from(Customer).join(_card, _on_card(request))
    return rates.where(target, ~exists().where(_meets(request)).correlate(Customer, _card))


def _end(session: Session, request: Request, target: ColumnElement[bool], now: datetime) -> None:
    own = _pairs(request, target, _own.id, _effect(request).label("effect")).subquery("own_rates")
    before = request.starts_on - timedelta(days=1)
    # The later ones first: which are meant is seen from what is still there.
    for effect, values in (("withdrawn", {"withdrawn_at": now}), ("ended", {"valid_to": before})):
        ids = select(own.c.id).where(own.c.effect == effect)
        session.execute(
            update(Rate).where(Rate.id.in_(ids)).values(values), execution_options={"synchronize_session": False}
        )
