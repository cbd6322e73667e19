"""Correcting rates that reports have used: the old rate is withdrawn and kept for them, the new one replaces it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Column, FromClause, Integer, MetaData, Table, and_, exists, insert, select, update
from sqlalchemy.orm import Session

from billing_core.database.types import UtcDateTime
from billing_core.imports import merging
from billing_core.rating.models import Rate
from billing_core.rating.pricing import TERMS
from billing_core.reports.models import BillingReport, ReportCharge

_RATES = cast("Table", Rate.__table__)


@contextmanager
def keeping_what_reports_used(session: Session, rows: FromClause) -> Iterator[None]:
    """Before the writing: a used rate whose terms change is withdrawn, and the new one begins on the same day.

    The new rate inherits what the file does not give. A change of the last day alone is written to the rate itself,
    like changes of unused rates.
    """
    corrected = _corrected(session, rows)
    now = select(corrected.c.withdrawn_at).limit(1).scalar_subquery()
    session.execute(
        update(_RATES).values(withdrawn_at=now).where(_RATES.c.id.in_(select(corrected.c.rate_id))),
        execution_options={"synchronize_session": False},
    )
    names = [column.name for column in _RATES.columns if column.name not in ("id", "withdrawn_at")]
    successors = (
        select(*(rows.c[name] if name in rows.c else _RATES.c[name] for name in names))
        .join_from(corrected, _RATES, _RATES.c.id == corrected.c.rate_id)
        # A line may be for many customers.
        .join(rows, and_(rows.c.line == corrected.c.line, rows.c.customer_id == _RATES.c.customer_id))
    )
    session.execute(insert(_RATES).from_select(names, successors))
    corrected.drop(session.connection())
    yield


def _corrected(session: Session, rows: FromClause) -> Table:
    """A temporary table of the used rates that get other terms, with the lines that give them."""
    corrected = Table(
        "corrected_rates",
        MetaData(),
        Column("line", Integer),
        Column("rate_id", Integer, primary_key=True),
        Column("withdrawn_at", UtcDateTime),
        prefixes=["TEMPORARY"],
    )
    corrected.create(session.connection(), checkfirst=False)
    billed = (
        select(ReportCharge.order_id)
        .join(BillingReport, BillingReport.id == ReportCharge.report_id)
        .where(BillingReport.customer_id == _RATES.c.customer_id, ReportCharge.rate_id == _RATES.c.id)
    )
    other_terms = merging.differs([name for name in TERMS if name in rows.c], rows, _RATES)
    matching = (
        select(rows.c.line, _RATES.c.id, rows.c.created_at)
        .join_from(rows, _RATES, _RATES.c.id == rows.c.existing_id)
        .where(rows.c.effect == "changed", other_terms, exists(billed))
    )
    session.execute(insert(corrected).from_select(["line", "rate_id", "withdrawn_at"], matching))
    return corrected
