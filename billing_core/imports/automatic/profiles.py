"""The layout that a file must have, by its name: one that we know, or that of a file that was imported before."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.errors import Invalid, NotFound
from billing_core.imports import Kind, mapping, sources
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import recognising
from billing_core.imports.layouts.reading import known_layouts
from billing_core.imports.mapping import Mapping
from billing_core.imports.models import ImportRun


@dataclass(frozen=True, slots=True)
class Profile:
    """What a file of this layout holds, each with where its values are. ``source``: whose export it is."""

    name: str
    source: str
    starts: dict[Kind, Mapping]


def of_file(session: Session, name: str, layout: sources.Layout) -> Profile:
    """The profile of this name, for this file. NotFound where there is none, Invalid where the file is another one."""
    if name.isdecimal() and len(name) < 10:
        return _as_before(session, int(name), layout)
    wanted = next((known for known in known_layouts() if known.name == name), None)
    if wanted is None:
        raise NotFound(
            f"There is no profile “{name}”. They are: {', '.join(known.name for known in known_layouts())}; or the "
            "number of an import, whose columns are read as they were then"
        )
    found = recognising.known(layout.header)
    if found is not wanted:
        other = "" if found is None else f" It is one of {found.source}: {found.title} ({found.name})."
        missing = recognising.missing_columns(layout.header, wanted)
        lacks = f" It lacks the columns {', '.join(missing)}." if missing else ""
        raise Invalid(f"The file is not {wanted.source}: {wanted.title} ({name}).{lacks}{other}")
    starts = {part.kind: recognising.start(layout.header, part.kind) or Mapping() for part in found.parts}
    remembered = {kind: mapping.remembered(session, DEFINITIONS[kind], layout) for kind in starts}
    return Profile(
        name, f"{found.source}: {found.title}", {kind: remembered[kind] or start for kind, start in starts.items()}
    )


def _as_before(session: Session, number: int, layout: sources.Layout) -> Profile:
    """As the file of this import was read, with what that held of other kinds."""
    run = session.get(ImportRun, number)
    if run is None or run.mapping is None:
        raise NotFound(f"There is no import {number} that says how its columns were read")
    same = (ImportRun.checksum == run.checksum, ImportRun.created_at == run.created_at)
    together = session.scalars(select(ImportRun).where(*same).order_by(ImportRun.id))
    starts = {}
    for each in together:
        stored, definition = each.mapping or {}, DEFINITIONS[Kind(each.kind)]
        start = mapping.from_json(definition, layout, stored)
        if lost := sorted(stored.keys() - start.keys()):
            raise Invalid(f"The file lacks the columns from which import {number} took {', '.join(lost)}")
        starts[definition.kind] = start
    return Profile(str(number), f"as import {number}", starts)
