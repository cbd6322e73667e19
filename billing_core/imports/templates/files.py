"""A template as a file."""

from dataclasses import dataclass

from billing_core.csv_text import marked_for_excel, rows_as_csv
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind
from billing_core.imports.templates import examples
from billing_core.reports.exports.formats import MEDIA_TYPES, Format


@dataclass(frozen=True, slots=True)
class TemplateFile:
    name: str
    media_type: str
    content: bytes


def named(actor: Actor, name: str) -> TemplateFile:
    """The template of a file's name, such as ``order-items.csv``. NotFound where there is no such one."""
    actor.require(Permission.IMPORT)
    kinds = {f"{kind.value}.{Format.CSV.value}": kind for kind in Kind}
    if (kind := kinds.get(name)) is None:
        raise NotFound("There is no such template")
    # The mark tells Excel that it is UTF-8.
    content = b"".join(marked_for_excel(rows_as_csv(examples.header(kind), examples.rows(kind))))
    return TemplateFile(name, MEDIA_TYPES[Format.CSV], content)
