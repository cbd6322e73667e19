"""Reading a file that nobody has checked: how it is laid out, and its rows as cells of text."""

from billing_core.imports.sources.layout import Batch, Layout
from billing_core.imports.sources.text import batches, read_layout

__all__ = ["Batch", "Layout", "batches", "read_layout"]
