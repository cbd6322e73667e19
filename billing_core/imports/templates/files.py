"""A template as a file."""

from dataclasses import dataclass

from billing_core.csv_text import marked_for_excel, rows_as_csv
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.templates import examples, xlsx
from billing_core.reports.exports.formats import MEDIA_TYPES, Format


@dataclass(frozen=True, slots=True)
class TemplateFile:
    name: str
    media_type: str
    content: bytes


def named(actor: Actor, name: str) -> TemplateFile:
    """The template of a file's name, such as ``order-items.csv``. NotFound where there is no such one."""
    actor.require(Permission.IMPORT)
    there_are = {f"{kind.value}.{form.value}": (kind, form) for kind in Kind for form in (Format.CSV, Format.XLSX)}
    if name not in there_are:
        raise NotFound("There is no such template")
    kind, form = there_are[name]
    header, rows = examples.header(kind), examples.rows(kind)
    if form is Format.XLSX:
        content = xlsx.workbook(DEFINITIONS[kind].title, header, rows)
    else:
        # The mark tells Excel that it is UTF-8.
        content = b"".join(marked_for_excel(rows_as_csv(header, rows)))
    return TemplateFile(name, MEDIA_TYPES[form], content)
