"""Which reports go into one file: read once, so that every part of the file is of the same ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Period, last_of_month
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.reports import queries
from billing_core.reports.exports.rows import each
from billing_core.reports.models import BillingReport
from billing_core.reports.queries import Report, ReportFilter

# A document is put together in memory, and takes longer than any other file.
MOST_DOCUMENTS = 500
# Charges that are held at once.
_TOGETHER = 20_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of the reports; ``charges``, ``orders`` and ``questions`` are how many it has."""

    id: int
    currency: str
    start: date
    end: date
    orders: int
    charges: int
    questions: int


@dataclass(frozen=True, slots=True)
class Selection:
    """At least one report, by the names of their customers."""

    reports: tuple[Chosen, ...]

    @property
    def ids(self) -> list[int]:
        return [report.id for report in self.reports]

    @property
    def period(self) -> Period:
        """From the first day to the last that any of them is about."""
        return Period(min(report.start for report in self.reports), max(report.end for report in self.reports))

    @property
    def file_name(self) -> str:
        """Without its ending: such as ``billing_reports_2026-10`` where all of it is of one month."""
        days = self.period
        one_month = days.start.day == 1 and days.end == last_of_month(days.start)
        return f"billing_reports_{days.start:%Y-%m}" if one_month else f"billing_reports_{days.start}_{days.end}"

    def refuse_too_many_documents(self) -> None:
        """Invalid where they are more than ``MOST_DOCUMENTS``, to be said to whoever wants PDFs of them."""
        if len(self.reports) > MOST_DOCUMENTS:
            raise Invalid(
                f"These are {len(self.reports):,} reports, and a PDF is made of {MOST_DOCUMENTS} at most: the workbook "
                "takes all of them",
                fields={"format": f"a PDF is made of {MOST_DOCUMENTS} reports at most"},
            )

    def batches(self) -> Iterator[Sequence[Chosen]]:
        """As many of them at once as have about ``_TOGETHER`` charges, or one that has more."""
        batch: list[Chosen] = []
        charges = 0
        for report in self.reports:
            if batch and charges + report.charges > _TOGETHER:
                yield batch
                batch, charges = [], 0
            batch.append(report)
            charges += report.charges
        yield batch


def named(session: Session, actor: Actor, report_ids: Sequence[int]) -> Selection:
    """These reports; NotFound where one of them cannot be seen."""
    actor.require(Permission.EXPORT)
    actor.require(Permission.REPORT_READ)
    if not report_ids:
        raise Invalid("No report is chosen", fields={"ids": "name none"})
    statement = select(BillingReport.id).where(
        among(BillingReport.id, report_ids), visible_to(actor, BillingReport.customer_id)
    )
    found = _read(session, _ordered(statement))
    if missing := set(report_ids) - {report.id for report in found}:
        raise NotFound(f"There is no report {min(missing)}")
    return Selection(found)


def matching(session: Session, actor: Actor, filters: ReportFilter) -> Selection:
    """All that match, however many; NotFound where none does."""
    actor.require(Permission.EXPORT)
    queries.must_be_author(session, actor, filters.created_by)
    found = _read(session, _ordered(queries.listing(session, actor, filters)))
    if not found:
        raise NotFound("No report matches these filters")
    return Selection(found)


def headers(session: Session, selection: Selection) -> Iterator[Report]:
    """Of each of them, in their order."""
    statement = _ordered(select(*queries.COLUMNS).where(among(BillingReport.id, selection.ids)))
    return (Report(*row) for row in each(session, statement))


def _ordered(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    order = BillingReport.customer_name_order, BillingReport.period_start, BillingReport.id
    return statement.order_by(None).order_by(*order)


def _read(session: Session, statement: Select[*tuple[Any, ...]]) -> tuple[Chosen, ...]:
    columns = (
        *(BillingReport.id, BillingReport.currency, BillingReport.period_start, BillingReport.period_end),
        *(BillingReport.order_count, BillingReport.charge_count, BillingReport.question_count),
    )
    return tuple(Chosen(*row) for row in each(session, statement.with_only_columns(*columns)))
