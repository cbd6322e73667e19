"""One business's invoices for programs, newest first; each page starts after the previous page's last invoice."""

from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Date, Integer, Select, TextClause, bindparam, select, text
from sqlalchemy.orm import Session

from billing_core.database.ordering import no_such_start
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import LISTED, Invoice


class Listed(NamedTuple):
    """One row. Amounts are minor units of ``currency``; ``status`` is the published one. A tuple, as the database
    returns it: creating objects takes as long as reading the page.
    """

    public_id: str
    number: str | None
    customer_email: str
    status: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    currency: str
    issued_on: date
    due_on: date
    created_at: datetime
    updated_at: datetime


def page(
    session: Session,
    actor: Actor,
    business_id: int,
    *,
    status: InvoiceStatus | None = None,
    after: str = "",
    today: date,
    limit: int,
) -> list[Listed]:
    """Newest first, discarded drafts left out. ``after``: those that follow this public id; Invalid."""
    actor.require(Permission.INVOICE_READ)
    statement = _statement(status, bound=actor.customer_id is not None, continued=bool(after))
    facts = {"business": business_id, "customer": actor.customer_id, "today": today, "most": limit}
    if after:
        facts["after"] = _id_of(session, actor, business_id, after)
    return [Listed._make(row) for row in session.connection().execute(statement, facts)]


def _id_of(session: Session, actor: Actor, business_id: int, public_id: str) -> int:
    statement = select(Invoice.id).where(
        Invoice.public_id == public_id.replace("\0", ""), Invoice.business_id == business_id
    )
    if actor.customer_id is not None:
        statement = statement.where(Invoice.customer_id == actor.customer_id)
    invoice_id = session.scalar(statement)
    if invoice_id is None:
        raise no_such_start()
    return invoice_id


@cache
def _statement(status: InvoiceStatus | None, *, bound: bool, continued: bool) -> Select[*tuple[Any, ...]]:
    """Built once: building a statement takes as long as running it."""
    today = cast("date", bindparam("today", type_=Date))
    columns = [
        lifecycle.status_sql(today).label("status") if name == "status" else getattr(Invoice, name)
        for name in Listed._fields
    ]
    conditions: list[ColumnElement[bool] | TextClause] = [
        text(f"({LISTED})"),
        Invoice.business_id == bindparam("business"),
    ]
    if status is not None:
        conditions.append(lifecycle.has_status({status}, today))
    if bound:
        conditions.append(Invoice.customer_id == bindparam("customer"))
    if continued:
        conditions.append(Invoice.id < bindparam("after"))
    return select(*columns).where(*conditions).order_by(Invoice.id.desc()).limit(bindparam("most", type_=Integer))
