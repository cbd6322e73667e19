"""Uploaded files: kept in a folder, checked and imported in the background.

The register is in this process's memory. Work continues when its owner leaves the page, and is shown again on return;
when the process ends it is lost, and the database is as it was before the file being imported.
"""

import enum
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import structlog
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.errors import BillingError, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind, service, source
from billing_core.imports import mapping as mappings
from billing_core.imports.kind import Definition
from billing_core.imports.kinds.registry import DEFINITIONS, guess_kind
from billing_core.imports.mapping import Mapping, Origin

log = structlog.get_logger()

KEPT_SECONDS = 24 * 3600
PREVIEWED_ROWS = 5

_register: dict[str, "Received"] = {}
_registering = threading.Lock()
_working = threading.Lock()


class State(enum.StrEnum):
    NEW = "not checked"
    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready to import"
    REFUSED = "refused"
    IMPORTED = "imported"


@dataclass
class Received:
    """One file. ``problem``: why it cannot be read or imported at all. ``done`` of ``total``: the progress of ``step``.
    ``work`` is the latest thread that checks or imports it.
    """

    token: str
    owner: int | None
    file_name: str
    folder: Path
    size: int
    layout: source.Layout | None = None
    preview: list[list[str]] = field(default_factory=list)
    kind: Kind | None = None
    mapping: Mapping = field(default_factory=Mapping)
    state: State = State.NEW
    step: str = ""
    done: int = 0
    total: int = 1
    outcome: service.Outcome | None = None
    problem: str = ""
    work: threading.Thread | None = None

    @property
    def path(self) -> Path:
        return self.folder / "received.csv"

    @property
    def rejected_path(self) -> Path:
        return self.folder / "rejected.csv"

    @property
    def definition(self) -> Definition | None:
        return None if self.kind is None else DEFINITIONS[self.kind]

    @property
    def busy(self) -> bool:
        return self.state in (State.WAITING, State.RUNNING)

    @property
    def missing(self) -> list[str]:
        """Our required columns that no column of the file is mapped to."""
        definition = self.definition
        return [] if definition is None else [name for name in definition.required if name not in self.mapping]


def receive(session: Session, actor: Actor, folder: Path, file_name: str, content: BinaryIO) -> Received:
    """Store a copy under ``folder`` and read its columns. A file that is not CSV is stored with its problem."""
    actor.require(Permission.IMPORT)
    _forget_old(folder)
    token = secrets.token_hex(12)
    place = folder / token
    place.mkdir(parents=True, mode=0o700)
    received = Received(token, actor.user_id, file_name, place, 0)
    with received.path.open("wb") as copy:
        shutil.copyfileobj(content, copy)
    received.size = received.path.stat().st_size
    _look_at(session, received)
    with _registering:
        _register[token] = received
    return received


def _look_at(session: Session, received: Received) -> None:
    try:
        with received.path.open("rb") as stream:
            layout = source.read_layout(stream)
            preview = next(
                (batch.rows for batch in source.batches(stream, layout, size=PREVIEWED_ROWS) if batch.rows), None
            )
        if preview is None:
            raise Invalid("The file names its columns and has no rows below them: there is nothing to import.")
    except Invalid as problem:
        received.state, received.problem = State.REFUSED, str(problem)
        return
    received.layout, received.preview = layout, preview
    choose_kind(session, received, guess_kind(layout.header, received.file_name))


def choose_kind(session: Session, received: Received, kind: Kind) -> None:
    """Start again with this kind: the mapping last used for the layout, otherwise the guess."""
    if received.layout is None:
        return
    received.kind = kind
    received.mapping = mappings.start_for(session, DEFINITIONS[kind], received.layout)
    _reopen(received)


def choose_origin(received: Received, name: str, origin: Origin | None) -> None:
    """Set where a field's values come from, or that it has none. Discards an earlier check."""
    if received.mapping.get(name) == origin:
        return
    if origin is None:
        received.mapping.pop(name, None)
    else:
        received.mapping[name] = origin
    _reopen(received)


def _reopen(received: Received) -> None:
    received.state, received.outcome, received.problem = State.NEW, None, ""


def files_of(actor: Actor) -> list[Received]:
    """The actor's files, in the order in which they depend on each other."""
    actor.require(Permission.IMPORT)
    order = {kind: place for place, kind in enumerate(Kind)}
    mine = [received for received in list(_register.values()) if received.owner == actor.user_id]
    return sorted(mine, key=lambda received: order[received.kind] if received.kind else len(order))


def rejected_rows(actor: Actor, token: str) -> Path:
    """The file that lists the rejected rows of one of the actor's files."""
    actor.require(Permission.IMPORT)
    received = _register.get(token)
    if received is None or received.owner != actor.user_id or not received.rejected_path.exists():
        raise NotFound("This list of rejected rows is no longer there. Check the file again.")
    return received.rejected_path


def discard(received: Received) -> None:
    """Remove the file, unless it is being processed."""
    if received.busy:
        return
    with _registering:
        _register.pop(received.token, None)
    shutil.rmtree(received.folder, ignore_errors=True)


def check(sessions: Sessions, actor: Actor, files: Sequence[Received], *, now: datetime) -> None:
    """Start to rehearse the files in the background, one after the other."""
    actor.require(Permission.IMPORT)
    _begin(files, lambda: _rehearse(sessions, actor, files, now))


def import_(sessions: Sessions, actor: Actor, files: Sequence[Received], *, now: datetime) -> None:
    """Start to import the files in the background; the first refusal stops those after it."""
    actor.require(Permission.IMPORT)
    _begin(files, lambda: _import(sessions, actor, files, now))


def _begin(files: Sequence[Received], work: Callable[[], None]) -> None:
    thread = threading.Thread(target=_run, args=(files, work), name="imports", daemon=True)
    for received in files:
        received.state, received.step, received.problem = State.WAITING, "", ""
        received.done, received.total, received.outcome = 0, 1, None
        received.work = thread
    thread.start()


def _run(files: Sequence[Received], work: Callable[[], None]) -> None:
    """One piece of work at a time. Whatever happens, no file stays busy, as its owner could do nothing with it."""
    try:
        with _working:
            work()
    except Exception:  # the edge of the background: nothing above would report to the file's owner
        reference = secrets.token_hex(4)
        log.exception("import_failed", reference=reference)
        for received in files:
            if received.busy:
                received.state = State.REFUSED
                received.problem = (
                    "Something went wrong that is not the file's fault. Nothing of it was imported. "
                    f"Reference {reference}"
                )


def _rehearse(sessions: Sessions, actor: Actor, files: Sequence[Received], now: datetime) -> None:
    with ExitStack() as opened:
        incoming = [_incoming(received, opened) for received in files]
        answers = service.rehearse(sessions, actor, incoming, now=now)
    for received, answer in zip(files, answers, strict=True):
        if isinstance(answer, BillingError):
            received.state, received.problem = State.REFUSED, str(answer)
        else:
            received.outcome = answer
            received.state = State.REFUSED if answer.rejected else State.READY


def _import(sessions: Sessions, actor: Actor, files: Sequence[Received], now: datetime) -> None:
    for place, received in enumerate(files):
        try:
            with ExitStack() as opened:
                received.outcome = service.apply(sessions, actor, _incoming(received, opened), now=now)
        except BillingError as problem:
            received.problem = str(problem)
        if received.outcome is not None and received.outcome.applied:
            received.state = State.IMPORTED
            continue
        received.state = State.REFUSED
        for later in files[place + 1 :]:
            later.state, later.problem = State.NEW, f"Not imported, because {received.file_name} was refused."
        return


def _incoming(received: Received, opened: ExitStack) -> service.Incoming:
    if received.kind is None:
        raise Invalid(f"Say what {received.file_name} contains.")

    def advance(step: str, done: int, total: int) -> None:
        received.state = State.RUNNING
        received.step, received.done, received.total = step, done, total

    # The page's mapping is complete: what it leaves out is left out.
    left_out: dict[str, Origin | None] = {
        item.name: None for item in DEFINITIONS[received.kind].fields if item.name not in received.mapping
    }
    return service.Incoming(
        received.kind,
        opened.enter_context(received.path.open("rb")),
        received.file_name,
        {**left_out, **received.mapping},
        advance,
        opened.enter_context(received.rejected_path.open("wb")),
    )


def _forget_old(folder: Path) -> None:
    """Removes abandoned files, and those of a process that ended."""
    if not folder.exists():
        return
    for place in folder.iterdir():
        known = _register.get(place.name)
        if (known is None or not known.busy) and time.time() - place.stat().st_mtime > KEPT_SECONDS:
            with _registering:
                _register.pop(place.name, None)
            shutil.rmtree(place, ignore_errors=True)
