"""The parameters of download addresses: names such as ``15.pdf``, ids, and the filters of the pages.

A list's filters have the names that the pages' links give them.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from billing_core.errors import Invalid, NotFound
from billing_core.identity import Actor
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.lists.credited import CreditNoteFilter
from billing_core.invoices.queries import InvoiceFilter
from billing_core.money import LARGEST_MINOR
from billing_core.payments.models import PaymentMethod
from billing_core.payments.queries import PaymentFilter
from billing_core.reports.exports.together import selection
from billing_core.reports.exports.together.selection import Selection
from billing_core.reports.lacking import Lack
from billing_core.reports.queries import ReportFilter
from billing_core.reports.summary import SummaryFilter
from billing_core.web.requests.values import IN_DIGITS, Currency, Day, DayOrInstant

# Marks a CSV as UTF-8 the way Excel expects.
ForExcel = Annotated[bool, Query(alias="excel")]
# The largest integer of the database: PostgreSQL refuses to compare with more.
LARGEST_ID = 2**31 - 1
Id = Annotated[int, Field(ge=1, le=LARGEST_ID), IN_DIGITS]
Amount = Annotated[Decimal, Field(ge=0, le=LARGEST_MINOR)]
Text = Annotated[str, Field(max_length=200)]
# Reads which reports go into a file together.
Choosing = Callable[[Session, Actor], Selection]


class _Reports(BaseModel):
    customer_id: Id | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    created_after: DayOrInstant | None = None
    created_before: DayOrInstant | None = None
    currency: Currency = ""
    created_by: Text = ""
    text: Text = ""
    current_only: bool = True
    order_by: Text = "-created_at"


class _ChosenReports(_Reports):
    ids: str = ""


class _Customers(BaseModel):
    customer_id: Id | None = None
    text: Text = ""
    country: Text = ""
    currency: Currency = ""
    with_reports: bool = False
    active: bool | None = None
    lacks: Lack | None = None
    order_by: Text = "customer_name"


class _Invoices(BaseModel):
    # May be repeated.
    status: tuple[InvoiceStatus, ...] = ()
    customer_id: Id | None = None
    business_id: Id | None = None
    issued_from: Day | None = None
    issued_to: Day | None = None
    due_from: Day | None = None
    due_to: Day | None = None
    currency: Currency = ""
    smallest: Amount | None = None
    largest: Amount | None = None
    text: Text = ""
    order_by: Text = "-issued_on"


class _CreditNotes(BaseModel):
    customer_id: Id | None = None
    business_id: Id | None = None
    issued_from: Day | None = None
    issued_to: Day | None = None
    currency: Currency = ""
    text: Text = ""


class _Payments(BaseModel):
    customer_id: Id | None = None
    business_id: Id | None = None
    received_from: Day | None = None
    received_to: Day | None = None
    currency: Currency = ""
    method: PaymentMethod | None = None
    text: Text = ""
    undone: bool | None = None


class _ListedPayments(_Payments):
    order_by: Text = "-received_on"


def _reports(query: Annotated[_Reports, Query()]) -> ReportFilter:
    return _report_filter(query)


def _report_filter(query: _Reports) -> ReportFilter:
    in_order(query.start_date, query.end_date, "start_date")
    in_order(query.created_after, query.created_before, "created_after")
    return ReportFilter(**{name: getattr(query, name) for name in _Reports.model_fields})


def _chosen_reports(query: Annotated[_ChosenReports, Query()]) -> Choosing:
    if "ids" not in query.model_fields_set:
        return partial(selection.matching, filters=_report_filter(query))
    if query.model_fields_set != {"ids"}:
        reason = "names the reports, so that no filter can choose them"
        raise Invalid(f"ids: {reason}", fields={"ids": reason})
    return partial(selection.named, report_ids=ids(query.ids, "reports"))


def _customers(query: Annotated[_Customers, Query()]) -> SummaryFilter:
    return SummaryFilter(**dict(query))


def _invoices(query: Annotated[_Invoices, Query()]) -> InvoiceFilter:
    in_order(query.issued_from, query.issued_to, "issued_from")
    in_order(query.due_from, query.due_to, "due_from")
    return InvoiceFilter(**dict(query))


def _credit_notes(query: Annotated[_CreditNotes, Query()]) -> CreditNoteFilter:
    in_order(query.issued_from, query.issued_to, "issued_from")
    return CreditNoteFilter(**dict(query))


def _payments(query: Annotated[_Payments, Query()]) -> PaymentFilter:
    in_order(query.received_from, query.received_to, "received_from")
    return PaymentFilter(**dict(query) | {"method": query.method or ""})


def _listed_payments(query: Annotated[_ListedPayments, Query()]) -> PaymentFilter:
    return replace(_payments(query), order_by=query.order_by)


Reports = Annotated[ReportFilter, Depends(_reports)]
ChosenReports = Annotated[Choosing, Depends(_chosen_reports)]
Customers = Annotated[SummaryFilter, Depends(_customers)]
Invoices = Annotated[InvoiceFilter, Depends(_invoices)]
CreditNotes = Annotated[CreditNoteFilter, Depends(_credit_notes)]
Payments = Annotated[PaymentFilter, Depends(_payments)]
ListedPayments = Annotated[PaymentFilter, Depends(_listed_payments)]


def in_order(first: date | None, last: date | None, field: str) -> None:
    """Invalid where nothing can be between two days or two instants, since the second of them comes first."""
    if first is not None and last is not None and type(first) is type(last) and first > last:
        reason = f"is after {last}"
        raise Invalid(f"{field}: {reason}", fields={field: reason})


def ids(text: str, noun: str) -> list[int]:
    """``"3,8"`` as ids; Invalid for anything else."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise Invalid(f"The {noun} are named by their numbers, with commas between them", fields={"ids": "such as 3,8"})
    return [int(part) for part in parts]


def split_name(name: str, identity: str, noun: str, *, ending: str = "") -> tuple[str, str]:
    """``15.pdf`` as id and ending: NotFound where nothing could have that id, Invalid for another ``ending``."""
    stem, _, suffix = name.partition(".")
    if not re.fullmatch(identity, stem):
        raise NotFound(f"There is no such {noun}")
    if ending and suffix != ending:
        raise Invalid(f"Invalid format: {suffix}", fields={"format": ending})
    return stem, suffix
