"""Reading a file that nobody has checked: how it is laid out, and its rows as cells of text."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from billing_core.errors import Invalid
from billing_core.imports.sources import forms, text, workbooks
from billing_core.imports.sources.archives import Content, contents, members
from billing_core.imports.sources.layout import NO_HEADER, NOTHING_CHOSEN, Batch, Chosen, Form, Layout, Notes, OddLine
from billing_core.imports.sources.text import StrayQuote, without_quotes

__all__ = [
    "NOTHING_CHOSEN",
    "NO_HEADER",
    "Batch",
    "Chosen",
    "Content",
    "Form",
    "Layout",
    "Notes",
    "OddLine",
    "StrayQuote",
    "batches",
    "contents",
    "members",
    "proven",
    "read_layout",
    "sheets",
    "without_quotes",
]


def read_layout(stream: BinaryIO, chosen: Chosen = NOTHING_CHOSEN) -> Layout:
    """How a seekable file is read. Invalid where it is none that holds a table."""
    form = forms.form_of(stream)
    if form in (Form.GZIP, Form.ZIP):
        packed = ", ".join(members(stream)[:5])
        raise Invalid(f"This is an archive, of {packed or 'one file'}: send what is packed in it one by one.")
    return text.read_layout(stream, chosen) if form is Form.TEXT else workbooks.read_layout(stream, form, chosen)


def sheets(stream: BinaryIO) -> list[str]:
    """The sheets of a workbook that have rows; empty for any other file."""
    form = forms.form_of(stream)
    if form in (Form.TEXT, Form.GZIP, Form.ZIP):
        return []
    return workbooks.sheets_with_rows(stream, form)


Read = TypeVar("Read")


def proven(stream: BinaryIO, layout: Layout, read: Callable[[Layout], Read]) -> Read:
    """What ``read`` makes of the file. Where a stray quote stops it, once more without quotes, if all rows prove it."""
    try:
        return read(layout)
    except StrayQuote:
        unquoted = without_quotes(stream, layout)
        if unquoted is None:
            raise
    return read(unquoted)


def batches(stream: BinaryIO, layout: Layout, notes: Notes | None = None, *, size: int = 300) -> Iterator[Batch]:
    """All rows below the header, without blank lines; ``notes`` takes what was left out, or looks odd.

    Small batches stay in the processor's cache, and are freed before the garbage collector counts them.
    """
    read = text.batches if layout.form is Form.TEXT else workbooks.batches
    return read(stream, layout, Notes() if notes is None else notes, size=size)
