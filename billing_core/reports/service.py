"""Generating reports: what a person can do with them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.customers.standing import inactive
from billing_core.database import turns
from billing_core.dates import EARLIEST_DAY, LATEST_DAY, Period
from billing_core.errors import Invalid
from billing_core.identity.permissions import SYSTEM, Actor, Permission
from billing_core.outgoing_webhooks.models import EventType
from billing_core.outgoing_webhooks.publishing import Announcement, announce
from billing_core.rating.models import QuestionKind, Service
from billing_core.reports import contents, coverage, difference, outdated, overlaps, queries, snapshot
from billing_core.reports.contents import ServiceTotal
from billing_core.reports.difference import Difference, ServiceChange
from billing_core.reports.models import BillingReport
from billing_core.reports.overlaps import OverlapRow, Overlaps
from billing_core.reports.queries import Report
from billing_core.reports.snapshot import Wanted

FORMATS = ("json", "csv", "pdf", "dict", "xlsx")
PREVIEWED_OVERLAPS = 20
# Larger than the id column can hold: no record has it.
_LARGEST_ID = 2**31 - 1


def _nothing_else(_report_id: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Generated:
    """``created`` is False where nothing had changed; ``replaces`` is the report that is superseded."""

    report_id: int
    created: bool
    version: int
    currency: str
    total_minor: int
    order_count: int
    question_count: int
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """``report`` has an id that is rolled back. ``current`` is the version it would replace, unless ``unchanged``.
    ``overlapping`` holds the first of the charges that another current report has as well.
    """

    report: Report
    services: list[ServiceTotal]
    questions: dict[QuestionKind, int]
    current: Report | None
    unchanged: bool
    difference: Difference | None
    service_changes: list[ServiceChange]
    overlaps: Overlaps
    overlapping: list[OverlapRow]

    @property
    def without_rates(self) -> bool:
        """Orders to bill, and no rate for any of them: the report would come to 0."""
        return QuestionKind.NO_RATE in self.questions and not self.services


def generate(
    session: Session,
    actor: Actor,
    *,
    customer_id: int,
    period: Period,
    service_ids: Collection[int] = (),
    now: datetime,
    output_format: str = "json",
) -> Generated:
    """Bill one customer for a period: a new report, a new version of it, or the current one if nothing changed."""
    actor.require(Permission.REPORT_GENERATE)
    terms = _wanted(session, actor, customer_id, period, service_ids, output_format)
    current = _current_version(session, terms)
    attempt = session.begin_nested()
    version = current.version + 1 if current else 1
    report_id = snapshot.write(session, actor, terms, version=version, now=now)
    if current and snapshot.same(session, current.id, report_id):
        attempt.rollback()
        outdated.settle(session, current.id)
        return Generated(
            current.id,
            created=False,
            version=current.version,
            currency=current.currency,
            total_minor=current.total_minor,
            order_count=current.order_count,
            question_count=current.question_count,
        )
    attempt.commit()

    changed_days = period
    if current:
        _supersede(session, current.id, by=report_id, now=now)
        outdated.settle(session, current.id)
        changed_days = coverage.reach(session, current.id, period)
    coverage.refresh(session, [customer_id], changed_days)
    replaces = current.id if current else None
    total, orders, questions = session.execute(
        select(BillingReport.total_minor, BillingReport.order_count, BillingReport.question_count).where(
            BillingReport.id == report_id
        )
    ).one()
    made = Generated(
        report_id,
        created=True,
        version=version,
        currency=terms.currency,
        total_minor=total,
        order_count=orders,
        question_count=questions,
        replaces=replaces,
    )
    _record(session, actor, terms, made, now=now)
    announce(session, actor, [Announcement(EventType.REPORT_GENERATED, ("report", report_id), customer_id)], now=now)
    return made


def preview(
    session: Session,
    actor: Actor,
    *,
    customer_id: int,
    period: Period,
    service_ids: Collection[int] = (),
    also: Callable[[int], None] = _nothing_else,
    now: datetime,
) -> Preview:
    """What ``generate`` would store, by the real path, rolled back. Needs a session that may write.

    ``also`` is called with the report's id while it is there.
    """
    actor.require(Permission.REPORT_GENERATE)
    terms = _wanted(session, actor, customer_id, period, service_ids, "json")
    current = _current_version(session, terms)
    attempt = session.begin_nested()
    report_id = snapshot.write(session, actor, terms, version=current.version + 1 if current else 1, now=now)
    unchanged = current is not None and snapshot.same(session, current.id, report_id)
    if current:
        _supersede(session, current.id, by=report_id, now=now)
    report = queries.one(session, SYSTEM, report_id)
    seen = Preview(
        report=report,
        services=contents.service_totals(session, report),
        questions=contents.question_totals(session, report),
        current=current,
        unchanged=unchanged,
        difference=difference.between(session, current, report) if current else None,
        service_changes=difference.services(session, current, report) if current else [],
        overlaps=overlaps.of(session, report),
        overlapping=overlaps.page(session, report, limit=PREVIEWED_OVERLAPS),
    )
    also(report_id)
    attempt.rollback()
    return seen


def _current_version(session: Session, terms: Wanted) -> Report | None:
    """The current version of this report, if there is one."""
    row = session.execute(
        select(*queries.COLUMNS).where(
            BillingReport.customer_id == terms.customer_id,
            BillingReport.period_start == terms.period.start,
            BillingReport.period_end == terms.period.end,
            BillingReport.services == terms.services,
            BillingReport.superseded_at.is_(None),
        )
    ).one_or_none()
    return Report(*row) if row else None


def _wanted(
    session: Session,
    actor: Actor,
    customer_id: int,
    period: Period,
    service_ids: Collection[int],
    output_format: str,
) -> Wanted:
    if output_format not in FORMATS:
        raise Invalid(f"Invalid format: {output_format}", fields={"output_format": f"one of {', '.join(FORMATS)}"})
    refuse_far_off(period)
    turns.keep_imports_out(session.connection())
    # The lock serializes two people who generate the same report: the second finds the first one's.
    known = 0 < customer_id <= _LARGEST_ID
    customer = session.execute(
        select(Customer.name, Customer.currency, Customer.active, Customer.merged_into_id)
        .where(Customer.id == (customer_id if known else 0), visible_to(actor))
        .with_for_update(key_share=True)
    ).one_or_none()
    if customer is None:
        message = f"Customer with ID {customer_id} not found"
        raise Invalid(message, fields={"customer_id": "there is no such customer"})
    if not customer.active:
        raise inactive(customer.name, customer.merged_into_id)
    services = chosen_services(session, service_ids)
    return Wanted(customer_id, customer.name, customer.currency, period, services, output_format)


def refuse_far_off(period: Period) -> None:
    """Days far off the range of orders have no period before or after to compare with."""
    if period.start < EARLIEST_DAY or period.end > LATEST_DAY:
        message = f"A report covers days from {EARLIEST_DAY} to {LATEST_DAY}"
        raise Invalid(message, fields={"start_date" if period.start < EARLIEST_DAY else "end_date": "is out of range"})


def chosen_services(session: Session, service_ids: Collection[int]) -> tuple[int, ...]:
    """The ids in order, or nothing where every service is included, so that both spellings are one report."""
    if not service_ids:
        return ()
    chosen, known = set(service_ids), set(session.scalars(select(Service.id)))
    if missing := sorted(chosen - known):
        raise Invalid(
            f"Service with ID {missing[0]} not found", fields={"service_ids": f"there is no service {missing[0]}"}
        )
    return () if chosen == known else tuple(sorted(chosen))


def _supersede(session: Session, report_id: int, *, by: int, now: datetime) -> None:
    session.execute(
        update(BillingReport)
        .where(BillingReport.id == report_id)
        .values(superseded_at=now, superseded_by_id=by)
        .execution_options(synchronize_session=False)
    )


def _record(session: Session, actor: Actor, terms: Wanted, made: Generated, *, now: datetime) -> None:
    after = {
        "period": str(terms.period),
        "services": terms.services,
        "currency": terms.currency,
        "total_minor": made.total_minor,
        "orders": made.order_count,
        "replaces": made.replaces,
    }
    label = f"{terms.customer_name}, {terms.period}"
    subject = ("report", made.report_id)
    audit.record(session, actor, Permission.REPORT_GENERATE, subject, label=label, after=after, now=now)
