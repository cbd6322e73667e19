"""How an invoice's content becomes rows, and how two contents differ, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any, cast

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from billing_core.database import sums as sums_of_all
from billing_core.identity import Actor
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.content import tax_rows
from billing_core.invoices.content.content import Content, DraftLine
from billing_core.invoices.content.totals import Totals
from billing_core.invoices.models import Invoice, InvoicedReport, InvoiceLineItem
from billing_core.invoices.numbering import Drawn

# Tables, not entities: the unit of work costs more than writing the rows.
_INVOICES = cast("Table", Invoice.__table__)
_LINES = cast("Table", InvoiceLineItem.__table__)
_REPORTS = cast("Table", InvoicedReport.__table__)

# Built once: building a statement takes as long as running it.
_INSERT_INVOICES = insert(_INVOICES).returning(_INVOICES.c.id, sort_by_parameter_order=True)
_INSERT_LINES = insert(_LINES)

_HEADER = tuple(field.name for field in fields(Content) if field.name != "lines")
_LINE = tuple(field.name for field in fields(DraftLine))
# An audit entry names at most this many lines, and counts the rest.
_MOST_NAMED = 50


def insert_drafts(
    session: Session,
    actor: Actor,
    contents: Sequence[Content],
    *,
    now: datetime,
    drawn: Drawn | None = None,
    again_reason: str = "",
) -> list[int]:
    """Insert checked contents as drafts, with lines, tax rows and the reports they bill; ids in the same order.

    AlreadyBilled where another invoice bills some of the same, unless ``again_reason`` says why.
    """
    connection = session.connection()
    computed = [content.totals() for content in contents]
    _refuse_beyond_sums(session, zip(contents, (totals.total_minor for totals in computed), strict=True))
    rows = [
        {
            **header_of(content),
            **sums(totals),
            **(asdict(drawn) if drawn else {}),
            "created_at": now,
            "created_by_id": actor.user_id,
            "created_by": actor.name,
            "updated_at": now,
        }
        for content, totals in zip(contents, computed, strict=True)
    ]
    ids = list(connection.execute(_INSERT_INVOICES, rows).scalars())
    lines = [
        row
        for invoice_id, content, totals in zip(ids, contents, computed, strict=True)
        for row in _line_rows(invoice_id, content.lines, totals, first=0, now=now)
    ]
    connection.execute(_INSERT_LINES, lines)
    tax_rows.insert_many(session, list(zip(ids, computed, strict=True)))
    billed = [(invoice_id, reports_of(content)) for invoice_id, content in zip(ids, contents, strict=True)]
    _link_reports(session, billed, again_reason)
    return ids


def replace_lines(session: Session, invoice_id: int, before: Content, after: Content, *, now: datetime) -> None:
    """Rewrite the lines from the first one that differs, and the tax rows; lines before it keep their ids."""
    first = next(
        (at for at, (old, new) in enumerate(zip_longest(before.lines, after.lines)) if old != new), len(after.lines)
    )
    connection = session.connection()
    totals = after.totals()
    was = before.totals().total_minor if before.currency == after.currency else 0
    _refuse_beyond_sums(session, [(after, totals.total_minor - was)])
    tax_rows.replace(session, invoice_id, before.totals(), totals)
    if first < len(before.lines):
        connection.execute(delete(_LINES).where(_LINES.c.invoice_id == invoice_id, _LINES.c.position > first))
    if first < len(after.lines):
        rows = _line_rows(invoice_id, after.lines, totals, first=first, now=now)
        connection.execute(_INSERT_LINES, rows)
    if _billed_of(before) != _billed_of(after):
        _relink_reports(session, invoice_id, reports_of(after))


def _relink_reports(session: Session, invoice_id: int, reports: Sequence[int]) -> None:
    """A draft bills these reports now, or others of their services. Its reason to bill orders again stays."""
    connection, mine = session.connection(), _REPORTS.c.invoice_id == invoice_id
    reasons = dict(connection.execute(select(_REPORTS.c.report_id, _REPORTS.c.again_reason).where(mine)).all())
    reason = max(reasons.values(), default="")
    if fresh := [report_id for report_id in reports if report_id not in reasons]:
        connection.execute(insert(_REPORTS), _link_rows(invoice_id, fresh, reason))
    billed_orders.keep_as_lines_say(session, invoice_id, again=bool(reason))
    connection.execute(delete(_REPORTS).where(mine, _REPORTS.c.report_id.not_in(reports)))


def _refuse_beyond_sums(session: Session, added: Iterable[tuple[Content, int]]) -> None:
    by_currency: Counter[str] = Counter()
    for content, minor in added:
        by_currency[content.currency] += minor
    sums_of_all.refuse_beyond(session, Invoice.total_minor, Invoice.currency, by_currency, what="invoices")


def unlink_reports(session: Session, invoice_id: int) -> None:
    billed_orders.forget(session, [invoice_id])
    session.connection().execute(delete(_REPORTS).where(_REPORTS.c.invoice_id == invoice_id))


def sums(totals: Totals) -> dict[str, int]:
    """The columns of an invoice that store its totals."""
    return {
        "subtotal_minor": totals.subtotal_minor,
        "tax_minor": totals.tax_minor,
        "total_minor": totals.total_minor,
    }


def header_of(content: Content) -> dict[str, Any]:
    """The columns of an invoice that people fill in."""
    return {name: getattr(content, name) for name in _HEADER}


def reports_of(content: Content) -> list[int]:
    """The reports that its lines bill."""
    return sorted({line.report_id for line in content.lines if line.report_id is not None})


def _billed_of(content: Content) -> set[tuple[int, int | None, int | None]]:
    """(report, service, order) of its lines: by these it bills orders."""
    return {(line.report_id, line.service_id, line.order_id) for line in content.lines if line.report_id is not None}


def line_differences(before: Content, after: Content) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """The lines that differ, before and after, in words; None where there is no such line."""
    differing = [
        (at, old, new) for at, (old, new) in enumerate(zip_longest(before.lines, after.lines), start=1) if old != new
    ]
    named = differing[:_MOST_NAMED]
    was: dict[str, str | None] = {f"line {at}": line_words(old) if old else None for at, old, _ in named}
    became: dict[str, str | None] = {f"line {at}": line_words(new) if new else None for at, _, new in named}
    if len(differing) > _MOST_NAMED:
        was["lines"], became["lines"] = str(len(before.lines)), str(len(after.lines))
    return was, became


def now_reads(current: Content, proposed: Content) -> dict[str, str]:
    """The present value of each field that differs from a rejected edit; lines counted from 1 (``line 2``)."""
    now, then = header_of(current), header_of(proposed)
    differing = {
        name: "is empty now" if now[name] in ("", None) else f"is now “{now[name]}”"
        for name in now
        if now[name] != then[name]
    }
    lines, _ = line_differences(current, proposed)
    return differing | {name: "is gone" if words is None else f"is now “{words}”" for name, words in lines.items()}


def line_words(line: DraftLine) -> str:
    """Such as “Consulting, 10 × 150, 19 % tax”."""
    words = f"{line.description[:200]}, {_plain(line.quantity)} × {_plain(line.unit_price)}"
    if line.discount_percent is not None:
        words += f", less {_plain(line.discount_percent)} %"
    if line.discount_minor is not None:
        words += f", less {line.discount_minor} minor units"
    return f"{words}, {_plain(line.tax_rate)} % tax"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _line_rows(
    invoice_id: int, lines: Sequence[DraftLine], totals: Totals, *, first: int, now: datetime
) -> list[dict[str, Any]]:
    """Rows for the lines from ``first`` (counted from 0) on; positions are counted from 1."""
    return [
        {
            **{name: getattr(line, name) for name in _LINE},
            "invoice_id": invoice_id,
            "position": at + 1,
            "amount_minor": totals.lines[at],
            "created_at": now,
        }
        for at, line in enumerate(lines)
        if at >= first
    ]


def _link_reports(session: Session, billed: Sequence[tuple[int, list[int]]], again_reason: str) -> None:
    rows = [row for invoice_id, reports in billed for row in _link_rows(invoice_id, reports, again_reason)]
    if rows:
        session.connection().execute(insert(_REPORTS), rows)
        linked = [invoice_id for invoice_id, reports in billed if reports]
        billed_orders.keep(session, linked, again=bool(again_reason))


def _link_rows(invoice_id: int, reports: Sequence[int], again_reason: str) -> list[dict[str, Any]]:
    return [{"invoice_id": invoice_id, "report_id": one, "again_reason": again_reason} for one in reports]
