"""``report generate`` for one customer, as a file or on stdout; ``report run`` for all of them."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.dates import Period, utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import SYSTEM
from billing_core.invoices import from_reports
from billing_core.reports import outdated, queries, service
from billing_core.reports.exports import files
from billing_core.reports.exports.formats import Format

_TEXT = {Format.JSON, Format.CSV}


def generate(arguments: Namespace) -> Answer:
    output_format = Format(arguments.output_format)
    if output_format not in _TEXT and arguments.output is None:
        raise Invalid(f"A {output_format} file does not fit on the screen: name a file with -o")
    period = Period(arguments.start, arguments.end)
    sessions = runtime.sessions()
    with sessions.begin() as session:
        made = service.generate(
            session,
            SYSTEM,
            customer_id=_customer(session, arguments.customer),
            period=period,
            now=utc_now(),
            output_format=output_format,
        )
    with sessions() as session:
        changed = warn_of_outdated(session, [queries.one(session, SYSTEM, made.report_id).customer_id])
        written = files.chunks(session, SYSTEM, made.report_id, output_format)
        if arguments.output is None:
            text = b"".join(written).decode()
            return Answer({"id": made.report_id, "csv": text}, text, text_is_json=output_format is Format.JSON)
        try:
            with arguments.output.open("wb") as file:
                file.writelines(written)
        except OSError as error:
            raise Invalid(f"{arguments.output} cannot be written: {error.strerror}") from None
        report = queries.one(session, SYSTEM, made.report_id)
    data: dict[str, Any] = {"id": report.id, "created": made.created, "replaces": made.replaces}
    data |= {"file": str(arguments.output), "outdated": changed}
    state = "New report" if made.created else "Nothing has changed: report"
    return Answer(data, f"{state} {report.id} of {report.total}, written to {arguments.output}")


def warn_of_outdated(session: Session, customers: Sequence[int] | Select[int]) -> list[dict[str, Any]]:
    """Tell on stderr of reports of these customers whose orders have changed since: the first ones, also as data."""
    found, total = outdated.found(session, SYSTEM, customers)
    invoices: dict[int, list[str]] = {}
    for invoice in from_reports.earlier(session, [one.report.id for one in found]):
        invoices.setdefault(invoice.report_id, []).append(invoice.invoice)
    for one in found:
        of = f"{one.report.customer_name}, {one.report.period}"
        on = "".join(f"; it is on {name}" for name in invoices.get(one.report.id, ()))
        sys.stderr.write(f"Warning: report {one.report.id} ({of}): {one.words}{on}\n")
    if total > len(found):
        sys.stderr.write(f"Warning: {total - len(found):,} more reports have orders that changed\n")
    return [
        {
            "report": one.report.id,
            "orders_changed": one.order_count,
            "difference_minor": None if one.difference is None else one.difference.minor,
            "currency": one.report.currency,
            "invoices": invoices.get(one.report.id, []),
        }
        for one in found
    ]


def _customer(session: Session, ref_or_id: str) -> int:
    try:
        return customers.id_of(session, SYSTEM, ref_or_id)
    except NotFound:
        raise Invalid(f"Customer with ID {ref_or_id} not found") from None
