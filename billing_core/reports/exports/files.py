"""Reports as files, in chunks from a server-side cursor: the session stays open until the last chunk."""

import re
from collections.abc import Callable, Iterator

from sqlalchemy.orm import Session

from billing_core.csv_text import marked_for_excel
from billing_core.errors import Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.reports import queries
from billing_core.reports.exports import csv as exports_csv
from billing_core.reports.exports import json as exports_json
from billing_core.reports.exports.formats import MEDIA_TYPES, Download, Format, Variant
from billing_core.reports.exports.together import selection
from billing_core.reports.exports.together.selection import Selection
from billing_core.reports.exports.zip import zipped
from billing_core.reports.queries import Report


def download(
    session: Session,
    actor: Actor,
    report_id: int | str,
    output_format: str,
    *,
    variant: str = Variant.SHORT,
    for_excel: bool = False,
) -> Download:
    """One report as a file. ``for_excel`` marks a CSV as UTF-8 the way Excel expects.

    NotFound where there is no such report or this actor may not see it, Invalid for an unknown format.
    """
    actor.require(Permission.EXPORT)
    output, kind = _format(output_format), _variant(variant)
    report = queries.one(session, actor, report_id)
    chunks = _written(session, report, output, kind, for_excel)
    suffix = "_long" if output is Format.CSV and kind is Variant.LONG else ""
    return Download(f"billing_report_{report.id}{suffix}.{output}", MEDIA_TYPES[output], chunks)


def chunks(
    session: Session, actor: Actor, report_id: int | str, output_format: str, *, variant: str = Variant.SHORT
) -> Iterator[bytes]:
    """The content of ``download`` alone."""
    return download(session, actor, report_id, output_format, variant=variant).chunks


def archive(
    session: Session,
    actor: Actor,
    chosen: Selection,
    output_format: str,
    *,
    variant: str = Variant.SHORT,
    for_excel: bool = False,
) -> Download:
    """Several reports as one ZIP, a file each. Invalid for more than ``MOST_DOCUMENTS`` as PDF."""
    actor.require(Permission.EXPORT)
    output, kind = _format(output_format), _variant(variant)
    if output is Format.PDF:
        chosen.refuse_too_many_documents()
    files = (
        (_name_in_archive(report, output), report.created_at, _written(session, report, output, kind, for_excel))
        for report in selection.headers(session, chosen)
    )
    return Download(f"{chosen.file_name}.zip", "application/zip", zipped(files))


def refuse_unknown(output_format: str, variant: str) -> None:
    """Invalid for what we do not write; for edges that say so before they look for the reports."""
    _format(output_format)
    _variant(variant)


def _written(
    session: Session, report: Report, output_format: Format, kind: Variant, for_excel: bool
) -> Iterator[bytes]:
    chunks = _writer(output_format, kind)(session, report)
    return marked_for_excel(chunks) if for_excel and output_format is Format.CSV else chunks


def _writer(output_format: Format, kind: Variant) -> Callable[[Session, Report], Iterator[bytes]]:
    """The writer of this format, imported on use: PDF and workbook libraries load slower than a report is made."""
    match output_format:
        case Format.CSV:
            return exports_csv.long if kind is Variant.LONG else exports_csv.short
        case Format.JSON:
            return exports_json.detail
        case Format.XLSX:
            from billing_core.reports.exports import xlsx

            return xlsx.workbook
        case Format.PDF:
            from billing_core.reports.exports import pdf

            return pdf.document


def _format(text: str) -> Format:
    try:
        return Format(text)
    except ValueError:
        raise Invalid(f"Invalid format: {text}", fields={"format": f"one of {', '.join(Format)}"}) from None


def _variant(text: str) -> Variant:
    try:
        return Variant(text)
    except ValueError:
        raise Invalid(f"Invalid variant: {text}", fields={"variant": f"one of {', '.join(Variant)}"}) from None


def _name_in_archive(report: Report, output_format: Format) -> str:
    """Such as ``2025-10-01_Brooklyn-Bean_17.csv``: sorts by period, and says whose it is."""
    customer = re.sub(r"\W+", "-", report.customer_name).strip("-")[:60]
    return f"{report.period_start}_{customer}_{report.id}.{output_format}"
