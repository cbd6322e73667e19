"""Reading files that come in: those that one stream holds, one of each kind, are read together."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.errors import BillingError, Invalid
from billing_core.imports import Lines, Repeats, sources
from billing_core.imports import mapping as mappings
from billing_core.imports.incoming import READING, Incoming, staging
from billing_core.imports.kind import Definition, Setting, Staged
from billing_core.imports.kinds import line_modes
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import newest, recognising
from billing_core.imports.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Read:
    """What has been staged of a file. ``remarks``: about how it is written."""

    incoming: Incoming
    definition: Definition
    layout: sources.Layout
    mapping: Mapping
    staged: Staged
    rejections: Table
    rules: recognising.Rules
    remarks: staging.Remarks


def read(connection: Connection, files: Sequence[Incoming], *, now: datetime) -> list[Read | BillingError]:
    """Stage the files, in their order; one that cannot be read is answered with its failure. Those of one stream, which
    holds several kinds, are read together, so that all of them cost one reading.
    """
    together: dict[tuple[int, sources.Layout | None], list[int]] = {}
    for place, file in enumerate(files):
        together.setdefault((id(file.stream), file.layout), []).append(place)
    answers: dict[int, Read | BillingError] = {}
    for places in together.values():
        found = _of_one_stream(connection, [files[place] for place in places], now=now)
        answers.update(zip(places, found, strict=True))
    return [answers[place] for place in range(len(files))]


def read_or_raise(connection: Connection, files: Sequence[Incoming], *, now: datetime) -> list[Read]:
    """As ``read``, but for the first failure, which is raised."""
    answers = []
    for answer in read(connection, files, now=now):
        if isinstance(answer, BillingError):
            raise answer
        answers.append(answer)
    return answers


def _of_one_stream(
    connection: Connection, files: Sequence[Incoming], *, now: datetime
) -> Sequence[Read | BillingError]:
    stream = files[0].stream
    try:
        layout = files[0].layout or sources.read_layout(stream)
        return sources.proven(stream, layout, lambda proven: _read_as(connection, files, proven, now=now))
    except BillingError as failure:
        return [failure] * len(files)


def _read_as(
    connection: Connection, files: Sequence[Incoming], layout: sources.Layout, *, now: datetime
) -> list[Read | BillingError]:
    stream = files[0].stream
    size = stream.seek(0, os.SEEK_END)

    def advance(done: int) -> None:
        for file in files:
            file.progress(READING, done, size)

    with connection.begin(), Session(connection) as session:
        business = default_business(session)
        setting = Setting(business.id, business.currency, business.time_zone, now)
        begun = [_begun(session, file, layout) for file in files]
        wanted = [one for one in begun if not isinstance(one, BillingError)]
        found = staging.stage(connection, [part for part, _ in wanted], stream, layout, setting, advance=advance)
    staged = iter(zip(wanted, found, strict=True))
    return [
        one if isinstance(one, BillingError) else _staged(file, layout, *next(staged))
        for file, one in zip(files, begun, strict=True)
    ]


def _begun(
    session: Session, file: Incoming, layout: sources.Layout
) -> tuple[staging.Part, recognising.Rules] | BillingError:
    """What is to be read of a file, and how. What is wrong with its rows is raised, as it concerns all of its kinds."""
    try:
        if file.may_set_aside and file.lines is Lines.REPLACE:
            raise Invalid(
                "A file that replaces lines cannot set rows aside: their orders would lose these lines without a word"
            )
        line_modes.refuse_again(session, file)
        definition = DEFINITIONS[file.kind]
        start, _guessed = recognising.start_for(session, definition, layout)
        mapping = mappings.settle(definition, layout, start, dict(file.changes))
        mapping = mappings.with_words(definition, mapping, file.words)
        mapping = mappings.read_as(mapping, file.readings)
        if file.repeats is Repeats.NEWEST:
            mapping = newest.in_file(definition, file.stream, layout, mapping)
    except sources.StrayQuote:
        raise
    except BillingError as failure:
        return failure
    rules = recognising.rules(file.stream, layout, file.kind, mapping, file.kinds)
    return staging.Part(definition, mapping, rules.following, newest=file.repeats is Repeats.NEWEST), rules


def _staged(
    file: Incoming,
    layout: sources.Layout,
    read_as: tuple[staging.Part, recognising.Rules],
    found: tuple[Staged, Table, staging.Remarks],
) -> Read:
    (part, rules), (staged, rejections, remarks) = read_as, found
    return Read(file, part.definition, layout, part.mapping, staged, rejections, rules, remarks)
