"""What people do with the files that they have dropped: choose what they are, have them checked and imported.

Files live in the database, so that any process can work on them. Each is seen by whoever has dropped it alone.
"""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind, Lines, Repeats, mapping, parts, received, sources
from billing_core.imports.automatic import deciding
from billing_core.imports.kind import Setting
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.layouts import newest, preview, without_customer
from billing_core.imports.layouts.preview import FirstRow
from billing_core.imports.mapping import Origin
from billing_core.imports.models import FileState, Holds, ImportFile, ImportFilePart, ImportJob, JobAim
from billing_core.imports.reading import shown
from billing_core.imports.received import BUSY, WAITING, Received

_UNSEEN = (FileState.RECEIVING, FileState.DISCARDED)


def receive(sessions: Sessions, actor: Actor, file_name: str, content: BinaryIO, *, now: datetime) -> Received:
    """Store a copy of one table and read its columns. What holds none, or several tables, is stored with its problem.
    What a table holds of several kinds are its parts from then on, which go together; the first of them is returned.
    """
    actor.require(Permission.IMPORT)
    if len(sources.members(content)) > 1:
        content.seek(0)
        return _receive(sessions, actor, sources.Content(file_name, content), sources.NOTHING_CHOSEN, now)
    with sources.contents(file_name, content) as found:
        return _receive(sessions, actor, next(found), sources.NOTHING_CHOSEN, now)


def receive_all(
    sessions: Sessions, actor: Actor, file_name: str, content: BinaryIO, *, now: datetime
) -> list[Received]:
    """As ``receive``; each file of an archive, and each sheet of a workbook, is one of its own."""
    actor.require(Permission.IMPORT)
    received_files = []
    with sources.contents(file_name, content) as found:
        for one in found:
            for chosen in received.tables_of(one):
                name = one.file_name if chosen.sheet is None else f"{one.file_name} · {chosen.sheet}"
                if chosen.sheet is not None:
                    one.stream.seek(0)
                received_files.append(_receive(sessions, actor, replace(one, file_name=name), chosen, now))
    return received_files


def _receive(
    sessions: Sessions, actor: Actor, content: sources.Content, chosen: sources.Chosen, now: datetime
) -> Received:
    row = ImportFile(
        token=secrets.token_hex(12),
        owner_id=actor.user_id,
        file_name=shown(content.file_name),
        received_at=now,
        mapping={},
    )
    with sessions.begin() as session:
        session.add(row)
    try:
        size = parts.store(sessions, row.id, Holds.RECEIVED, content.stream)
    except Invalid as problem:  # what cannot be unpacked
        parts.remove(sessions, row.id)
        size, look = 0, received.refused(problem)
    else:
        with parts.opened(sessions, row.id, size) as stream:
            look = received.look_at(stream, content.file_name, chosen)
    with sessions.begin() as session:
        stored = session.get_one(ImportFile, row.id)
        stored.size = size
        _seen(session, stored, look)
    return received.of_row(stored)


def _seen(session: Session, stored: ImportFile, look: received.Look) -> None:
    """Keep how a file is read, and make a part of each kind that it holds."""
    for name, value in look.columns.items():
        setattr(stored, name, value)
    for place, kind in enumerate(look.found.kinds if stored.layout is not None else ()):
        part = stored if not place else received.further_part(stored)
        session.add(part)
        part.kind = kind
        _start(session, part)


def files_of(session: Session, actor: Actor) -> list[Received]:
    """The actor's files, in the order in which they depend on each other."""
    actor.require(Permission.IMPORT)
    mine = received.files().where(_of(actor), ImportFile.state.not_in(_UNSEEN))
    return [received.of_row(row) for row in session.execute(mine)]


def first_rows(session: Session, actor: Actor, file: Received) -> list[FirstRow]:
    """The first rows of a file as they would be stored."""
    actor.require(Permission.IMPORT)
    if file.layout is None or file.kind is None:
        return []
    business = default_business(session)
    setting = Setting(business.id, business.currency, business.time_zone, utc_now())
    kinds = received.kinds_beside(session, file)
    return preview.first_rows(file.preview, file.layout, file.kind, file.mapping, setting, kinds)


def choose_kind(session: Session, actor: Actor, token: str, kind: Kind) -> None:
    """Start again with this kind, which no other part has: its mapping last used for the layout, or the guess."""
    actor.require(Permission.IMPORT)
    file = _idle(session, actor, token)
    if file.layout is None:
        return
    _refuse_twice(file, kind, _locked(session, actor, _with_all_parts(session, actor, [token])))
    file.kind = kind
    _start(session, file)
    _reopen(file)


def add_kind(session: Session, actor: Actor, token: str, kind: Kind) -> None:
    """Say that the file holds this kind as well. Its part begins as one that was found does, and an earlier check of
    the others is discarded, as all go in together. Conflict where the file has a part of this kind.
    """
    actor.require(Permission.IMPORT)
    first, others = _idle_parts(session, actor, token)
    if first.layout is None or first.kind is None:
        raise Invalid(f"Say first what {first.file_name} contains")
    _refuse_twice(None, kind, (first, *others))
    for file in (first, *others):
        _reopen(file)
    part = received.further_part(first)
    session.add(part)
    part.kind = kind
    _start(session, part)


def _refuse_twice(file: ImportFile | None, kind: Kind, parts_of_file: Sequence[ImportFile]) -> None:
    """A file goes in once as each kind."""
    if any(part.kind is kind for part in parts_of_file if part is not file):
        raise Conflict(f"{parts_of_file[0].file_name} has its {DEFINITIONS[kind].title.lower()} already: take them in")


def choose_origins(session: Session, actor: Actor, token: str, origins: Mapping[str, Origin | None]) -> None:
    """Set where fields' values come from, or that they have none. A change discards an earlier check."""
    actor.require(Permission.IMPORT)
    file = _idle(session, actor, token)
    chosen = mapping.Mapping(received.of_row(file).mapping)
    for name, origin in origins.items():
        if origin is None:
            chosen.pop(name, None)
        else:
            chosen[name] = origin
    if mapping.to_json(chosen) != file.mapping:
        file.mapping = mapping.to_json(chosen)
        _reopen(file)


def choose_reading(sessions: Sessions, actor: Actor, token: str, chosen: sources.Chosen) -> None:
    """Say how the file is read, with all of its parts. An earlier check is discarded. Where its columns have other
    names then, it is as if it had just been received.
    """
    actor.require(Permission.IMPORT)
    with sessions.begin() as session:
        first, _others = _idle_parts(session, actor, token)
        file_id, size, name = first.id, first.size, first.file_name
    with parts.opened(sessions, file_id, size) as stream:
        look = received.look_at(stream, name, chosen)
    with sessions.begin() as session:
        first, others = _idle_parts(session, actor, token)
        layout = look.columns["layout"]
        same = first.layout is not None and layout is not None and first.layout["header"] == layout["header"]
        for file in (first, *others):
            _reopen(file)
            if same:
                file.layout, file.preview = layout, look.columns["preview"]
            elif file is not first:
                file.state = FileState.DISCARDED
        if not same:
            first.left_out, first.kind = False, None
            _seen(session, first, look)


def _idle_parts(session: Session, actor: Actor, token: str) -> tuple[ImportFile, list[ImportFile]]:
    """The part that holds the file's bytes, and the others."""
    files = _locked(session, actor, _with_all_parts(session, actor, [token]))
    for file in files:
        if file.state in BUSY or file.state is FileState.IMPORTED:
            raise Conflict(f"{file.file_name} is {file.state.value}. How it is read can no longer be changed.")
    first = next(file for file in files if file.source_id is None)
    return first, [file for file in files if file is not first]


def choose_lines(session: Session, actor: Actor, token: str, lines: Lines) -> None:
    """Say what becomes of the lines that the file's orders have already. A change discards an earlier check."""
    actor.require(Permission.IMPORT)
    file = _idle(session, actor, token)
    if file.lines is not lines:
        file.lines = lines
        _reopen(file)


def choose_words(session: Session, actor: Actor, token: str, words: mapping.Words) -> None:
    """Say what words of the file stand for, by field. A change discards an earlier check."""
    actor.require(Permission.IMPORT)
    file = _idle(session, actor, token)
    known = received.of_row(file)
    if known.definition is None:
        raise Conflict(f"Say first what {file.file_name} contains")
    answered = mapping.to_json(mapping.with_words(known.definition, known.mapping, words))
    if answered != file.mapping:
        file.mapping = answered
        _reopen(file)


def choose_owner(session: Session, actor: Actor, token: str, ref: str) -> None:
    """Say to which customer the orders of a file belong that name none; empty: nobody. No customer is made of their
    rows. An earlier check of all parts is discarded. Invalid where there is no such customer.
    """
    actor.require(Permission.IMPORT)
    without_customer.refuse_unknown(session, ref)
    first, others = _idle_parts(session, actor, token)
    for file in (first, *others):
        if file.kind is not None:
            file.mapping = mapping.to_json(without_customer.belong_to(file.kind, received.of_row(file).mapping, ref))
        _reopen(file)


def choose_repeats(session: Session, actor: Actor, token: str, repeats: Repeats) -> None:
    """Say which of several rows of one key counts. A change discards an earlier check. Invalid where it is the newest
    and no column says which that is.
    """
    actor.require(Permission.IMPORT)
    file = _idle(session, actor, token)
    if file.repeats is not repeats:
        known = received.of_row(file)
        if repeats is Repeats.NEWEST and known.definition is not None and known.layout is not None:
            mapped = newest.mapped(known.definition, known.layout.header, known.preview, known.mapping)
            file.mapping = mapping.to_json(mapped)
        file.repeats = repeats
        _reopen(file)


def leave_out(session: Session, actor: Actor, token: str, left_out: bool) -> None:
    """Say whether a part of a file is imported. A change discards an earlier check of all of its parts."""
    actor.require(Permission.IMPORT)
    file = _idle(session, actor, token)
    if file.left_out is not left_out:
        file.left_out = left_out
        for part in _locked(session, actor, _with_all_parts(session, actor, [token])):
            _reopen(part)


def choose_setting_aside(session: Session, actor: Actor, token: str, rows: int) -> None:
    """Say that at most so many rejected rows are set aside and the others imported. A change discards an earlier check,
    and one that finds more rejected rows asks again.
    """
    actor.require(Permission.IMPORT)
    file = _idle(session, actor, token)
    if file.may_set_aside != rows:
        file.may_set_aside = rows
        _reopen(file)


def discard(session: Session, actor: Actor, tokens: Collection[str]) -> None:
    """Remove files, with all of their parts. One that waits leaves its job; one that is being worked on is a Conflict.

    Nobody sees them from then on; what they hold is deleted by ``upkeep.forget``.
    """
    actor.require(Permission.IMPORT)
    tokens = _with_all_parts(session, actor, tokens)
    # Jobs before files, as whoever calls one off locks them.
    at_work = select(ImportJob.id).join(ImportFile, ImportFile.job_id == ImportJob.id)
    at_work = at_work.where(_of(actor), ImportFile.token.in_(tokens), ImportJob.finished_at.is_(None))
    taken_up = set(session.scalars(at_work.where(ImportJob.process_id.is_not(None)).with_for_update(of=ImportJob)))
    for file in _locked(session, actor, tokens):
        if file.state in BUSY and file.job_id in taken_up:
            raise Conflict(f"{file.file_name} is being worked on. It can be removed when that is over.")
        file.state, file.job_id = FileState.DISCARDED, None


def check(session: Session, actor: Actor, tokens: Collection[str], *, now: datetime) -> int:
    """Have the files rehearsed, one after the other; returns the job's id, to be begun after the commit."""
    actor.require(Permission.IMPORT)
    return _request(session, actor, JobAim.CHECK, tokens, now)


def import_(session: Session, actor: Actor, tokens: Collection[str], *, now: datetime) -> int:
    """Have the files imported, one after the other; one that is refused does not hold up the others, unless these need
    what it would have brought. As ``check`` otherwise.
    """
    actor.require(Permission.IMPORT)
    return _request(session, actor, JobAim.IMPORT, tokens, now)


def _request(session: Session, actor: Actor, aim: JobAim, tokens: Collection[str], now: datetime) -> int:
    files = [file for file in _locked(session, actor, _with_all_parts(session, actor, tokens)) if not file.left_out]
    if not files:
        raise Invalid("Drop a file first" if not tokens else "Every part of the file is left out")
    for file in files:
        if file.state in BUSY:
            raise Conflict(f"{file.file_name} is being worked on already")
        if file.layout is None or file.state is FileState.IMPORTED:
            raise Conflict(f"{file.file_name} cannot be imported: it is {file.state.value}")
        if file.kind is None:
            raise Invalid(f"Say what {file.file_name} contains")
    job = ImportJob(aim=aim, requested_at=now, requested_by_id=actor.user_id, requested_by=actor.name)
    session.add(job)
    session.flush()
    ids = [file.id for file in files]
    session.execute(update(ImportFile).where(ImportFile.id.in_(ids)).values(job_id=job.id, **WAITING))
    return job.id


def cancel(session: Session, actor: Actor, job_id: int, *, now: datetime) -> None:
    """Call off a job that no process has taken up: its files are as before it. Whoever manages jobs may do so too."""
    actor.require(Permission.IMPORT)
    job = session.get(ImportJob, job_id, with_for_update=True)
    if job is None or not (job.requested_by_id == actor.user_id or actor.may(Permission.JOBS_MANAGE)):
        raise NotFound("There is no such import")
    if job.finished_at is not None:
        raise Conflict("It is over already")
    if job.process_id is not None:
        raise Conflict("It has been taken up, and will be over soon")
    job.cancelled_at = job.finished_at = now
    files = update(ImportFile).where(ImportFile.job_id == job_id, ImportFile.state.in_(BUSY))
    session.execute(files.values(state=FileState.NEW, job_id=None, step=""))


def rejected_rows(session: Session, actor: Actor, token: str) -> Iterator[bytes]:
    """The rejected rows of one of the actor's files as CSV, to be repaired and dropped again."""
    actor.require(Permission.IMPORT)
    states = (FileState.REFUSED, FileState.READY, FileState.IMPORTED)
    return _listed(session, actor, token, Holds.REJECTED, *states)


def lines_that_go(session: Session, actor: Actor, token: str) -> Iterator[bytes]:
    """The CSV file of the lines that one of the actor's files would remove."""
    actor.require(Permission.IMPORT)
    return _listed(session, actor, token, Holds.GONE, FileState.READY)


def _listed(session: Session, actor: Actor, token: str, holds: Holds, *states: FileState) -> Iterator[bytes]:
    held = exists().where(ImportFilePart.file_id == ImportFile.id, ImportFilePart.holds == holds)
    mine = select(ImportFile.id).where(_of(actor), ImportFile.token == token, ImportFile.state.in_(states), held)
    file_id = session.scalar(mine)
    if file_id is None:
        raise NotFound("This list is no longer there. Check the file again.")
    return parts.chunks(session, file_id, holds)


def _of(actor: Actor) -> ColumnElement[bool]:
    return ImportFile.owner_id.is_not_distinct_from(actor.user_id)


def _locked(session: Session, actor: Actor, tokens: Collection[str]) -> list[ImportFile]:
    """The actor's files with these tokens, or NotFound."""
    mine = select(ImportFile).where(_of(actor), ImportFile.token.in_(tokens), ImportFile.state.not_in(_UNSEEN))
    files = list(session.scalars(mine.order_by(ImportFile.id).with_for_update()))
    if len(files) < len(set(tokens)):
        raise NotFound("A file is no longer there. Drop it again.")
    return files


def _with_all_parts(session: Session, actor: Actor, tokens: Collection[str]) -> list[str]:
    """These tokens, and those of the other parts of the same files."""
    named = select(received.kept_as()).where(_of(actor), ImportFile.token.in_(tokens))
    mine = select(ImportFile.token).where(_of(actor), received.kept_as().in_(named), ImportFile.state.not_in(_UNSEEN))
    return [*tokens, *(token for token in session.scalars(mine) if token not in tokens)]


def _idle(session: Session, actor: Actor, token: str) -> ImportFile:
    (file,) = _locked(session, actor, [token])
    if file.state in BUSY:
        raise Conflict(f"{file.file_name} is being worked on. Choose when that is over.")
    return file


def _start(session: Session, file: ImportFile) -> None:
    """Give it the mapping to begin with."""
    if file.kind is None or file.layout is None:
        return
    found = deciding.start(session, received.layout_of(file.layout), file.kind)
    file.mapping, file.guessed, file.repeats = mapping.to_json(found.mapping), found.guessed, found.repeats


def _reopen(file: ImportFile) -> None:
    """What comes of it now is no longer what came of its former job."""
    file.state, file.outcome, file.problem, file.job_id = FileState.NEW, None, "", None
