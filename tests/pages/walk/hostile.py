"""Texts of others that hold what Streamlit gives a meaning to, in all rows; and where a page gave it that meaning."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import update
from sqlalchemy.orm import Session
from streamlit import dataframe_util
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from billing_core import schema

# At the end of each text. Shown as it is, it stands on no page: not even where badges take brackets for theirs.
WRITTEN = " *[x]"
_MEANT = ("*[x", "\\\\[x")
# What was typed or imported or came by API or from the payment service. Not what a page finds a row by.
_COLUMNS = {
    "api_keys": ("name",),
    "bill_run_customers": ("reason",),
    "billing_reports": ("customer_name", "created_by"),
    "businesses": ("name", "address", "tax_id", "bank_details", "zero_tax_reason", "late_usage_reason"),
    "charge_attempts": ("description", "failure"),
    "chargebacks": ("reason",),
    "credit_note_lines": ("description",),
    "credit_notes": ("number", "reason"),
    "customers": ("name", "phone", "address", "city", "tax_id", "hold_reason"),
    "disputes": ("reason",),
    "gateway_lines": ("description",),
    "gateway_readings": ("read_by",),
    "import_files": ("file_name", "problem"),
    "import_runs": ("file_name",),
    "invoice_line_items": ("description",),
    "invoices": ("notes", "reference", "customer_name", "customer_address", "payment_failure", "hold_reason"),
    "meter_buckets": ("name",),
    "meters": ("name", "unit"),
    "orders": ("reference_number", "ship_to_name", "carrier", "notes"),
    "outbox_messages": ("title", "last_error"),
    "payment_cases": ("said", "settlement"),
    "payment_links": ("last_failure", "created_by"),
    "payment_methods": ("brand",),
    "payments": ("reference", "note", "undone_reason", "created_by"),
    "plans": ("name",),
    "prepaid_grants": ("reason",),
    "products": ("name",),
    "refund_requests": ("reason", "last_error"),
    "refunds": ("reference", "reason"),
    "report_orders": ("reference_number", "ship_to_name"),
    "report_questions": ("sku",),
    "report_service_totals": ("service_name",),
    "saved_views": ("name",),
    "services": ("name",),
    "subscription_changes": ("asked_by",),
    "subscriptions": ("cancel_reason", "hold_reason"),
    "usage_late_items": ("user",),
    "users": ("name",),
    "webhook_endpoints": ("description",),
    "webhook_events": ("last_error", "outcome"),
}
# Where it means nothing: fields, choices and texts that Streamlit shows as they are, and what nobody sees.
_PLAIN = {"id", "alt", "anchor", "placeholder", "url", "query_string", "spec", "columns", "src", "user_key"}
_PLAIN_OF = {
    "text": {"body"},
    "code": {"code_text"},
    "selectbox": {"options", "default", "raw_value"},
    "multiselect": {"options", "default", "raw_values"},
    "text_input": {"default", "value"},
    "text_area": {"default", "value"},
}


def write(session: Session, text: str = WRITTEN) -> None:
    """At the end of each of these texts that there is."""
    for name, columns in _COLUMNS.items():
        table = schema.Base.metadata.tables[name]
        for column in columns:
            session.execute(update(table).where(table.c[column] != "").values({column: table.c[column] + text}))


def meant(messages: Iterable[ForwardMsg]) -> Iterator[str]:
    """What was handed over as if we had written it: the element, its field, and the text."""
    for message in messages:
        delta = message.delta
        drawn = delta.add_block if delta.HasField("add_block") else delta.new_element
        kind = drawn.WhichOneof("type")
        if kind and b"[x" in message.SerializeToString():
            shown = getattr(drawn, kind)
            texts = _cells(shown) if kind == "table" else _texts(shown, _PLAIN | _PLAIN_OF.get(kind, set()))
            yield from (f"{kind} {field}: {text}" for field, text in texts if any(part in text for part in _MEANT))


def _texts(proto: Message, plain: set[str]) -> Iterator[tuple[str, str]]:
    for field, value in proto.ListFields():
        if field.name in plain:
            continue
        for one in [value] if isinstance(value, str | Message) else value if isinstance(value, Iterable) else []:
            if isinstance(one, str):
                yield field.name, one
            elif isinstance(one, Message):
                yield from _texts(one, plain)


def _cells(table: Any) -> Iterator[tuple[str, str]]:
    """Those of a small table are Markdown, as its index is."""
    frame = dataframe_util.convert_arrow_bytes_to_pandas_df(table.arrow_data.data)
    for column in frame.columns:
        yield from ((str(column), str(cell)) for cell in (column, *frame[column], *frame.index))
