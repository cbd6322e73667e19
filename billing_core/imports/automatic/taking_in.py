"""Files at once, from where they lie: what they would do, and taking in those of which nothing is unsure."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, cast

from sqlalchemy.orm import Session

from billing_core.businesses.queries import default_business
from billing_core.database import Sessions
from billing_core.errors import BillingError, Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind, parts, received, rejections, service, sources
from billing_core.imports.automatic import deciding, doubts, telling
from billing_core.imports.automatic.answers import Answers
from billing_core.imports.automatic.deciding import FoundFile, FoundPart
from billing_core.imports.automatic.doubts import About, Doubt
from billing_core.imports.incoming import Incoming, Progress, silent
from billing_core.imports.kind import Setting
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import Origin
from billing_core.imports.next_steps import counting
from billing_core.imports.next_steps.counting import Step
from billing_core.imports.outcome import Outcome

_BESIDE = "Not imported, because another part of {} was refused."


@dataclass(slots=True)
class Part:
    """What a file holds of one kind, and what becomes of it. ``rejected`` and ``removed`` are CSV files."""

    found: FoundPart
    rejected: BinaryIO
    removed: BinaryIO
    outcome: Outcome | None = None
    problem: str = ""


@dataclass(slots=True)
class File:
    """A file, the ``stream`` of its bytes, and its parts in the order in which they are taken in. ``progress``: see
    ``Incoming``.
    """

    found: FoundFile
    stream: BinaryIO
    parts: list[Part] = field(default_factory=list)
    imported: bool = False
    progress: Progress = silent

    @property
    def doubts(self) -> list[Doubt]:
        found, held_up, layout = doubts.of_file(self.found), set[Kind](), self.found.layout
        if layout is None:
            return telling.once(found)
        for part in self.parts:
            of_part = doubts.of_part(layout, part.found, part.outcome, part.problem, kinds=self.found.kinds)
            if part.outcome is not None and any(group.needs in held_up for group in part.outcome.groups):
                # Its rows name some of the same file that wait for an answer: they are judged once there is one.
                of_part = [doubt for doubt in of_part if doubt.about not in (About.REJECTED, About.WAITS)]
                held_up.add(part.found.kind)
            elif any(doubt.must for doubt in of_part):
                held_up.add(part.found.kind)
            found += of_part
        return telling.once(found)

    @property
    def usable(self) -> bool:
        """Whether its rows can be looked at."""
        return bool(self.parts) and not self.found.problem and not any(part.found.missing for part in self.parts)


@contextmanager
def opened(
    sessions: Sessions, actor: Actor, given: Sequence[tuple[str, BinaryIO]], answers: Answers
) -> Iterator[list[File]]:
    """The files with what they hold: each file of an archive, and each sheet of a workbook, is one of its own."""
    actor.require(Permission.IMPORT)
    with ExitStack() as held:
        files = [file for name, stream in given for file in _unpacked(sessions, name, stream, answers, held)]
        yield files


def only(files: list[File], member: str | None) -> list[File]:
    """Those that are, or are in, this file of an archive; all where none is named. Invalid where there is none."""
    if member is None:
        return files
    chosen = [file for file in files if file.found.file_name.split(" · ")[0] == member]
    if not chosen:
        raise Invalid(f"No file “{member}” is packed in it")
    return chosen


def _unpacked(sessions: Sessions, name: str, stream: BinaryIO, answers: Answers, held: ExitStack) -> Iterator[File]:
    try:
        for content in held.enter_context(sources.contents(name, stream)):
            name = content.file_name
            table = content.stream if content.stream is stream else _copied(content.stream, held)
            yield from _tables(sessions, sources.Content(name, table), answers, held)
    except Invalid as problem:  # what cannot be unpacked
        yield File(FoundFile(name, None, [], (), problem=received.printable(str(problem))), stream)


def _tables(sessions: Sessions, content: sources.Content, answers: Answers, held: ExitStack) -> Iterator[File]:
    of_one = answers.source.sheet is not None
    for chosen in [sources.NOTHING_CHOSEN] if of_one else received.tables_of(content):
        named = content.file_name if chosen.sheet is None else f"{content.file_name} · {chosen.sheet}"
        content.stream.seek(0)
        with sessions() as session:
            found = deciding.find(session, content.stream, named, chosen.sheet, answers)
        yield File(found, content.stream, [Part(part, _spool(held), _spool(held)) for part in found.parts])


def _copied(stream: BinaryIO, held: ExitStack) -> BinaryIO:
    """Of a file in an archive, of which only one is open at a time."""
    copy = _spool(held)
    shutil.copyfileobj(stream, copy, parts.PART_BYTES)
    copy.seek(0)
    return copy


def _spool(held: ExitStack) -> BinaryIO:
    return cast("BinaryIO", held.enter_context(tempfile.SpooledTemporaryFile(max_size=parts.PART_BYTES)))


def rehearse(sessions: Sessions, actor: Actor, files: Sequence[File], *, now: datetime) -> None:
    """Find out what the files would do one after the other. Changes nothing."""
    actor.require(Permission.IMPORT)
    together = _in_order(files)
    works = [_incoming(file, part) for file, part in together]
    answers = service.rehearse(sessions, actor, works, now=now)
    refused: dict[Kind | None, str] = {
        part.found.kind: file.found.file_name for file in files if not file.usable for part in file.parts
    }
    for (file, part), answer in zip(together, answers, strict=True):
        _learn(part, answer, refused)
        if part.problem or (part.outcome is not None and part.outcome.refused):
            refused[part.found.kind] = file.found.file_name


def _in_order(files: Sequence[File]) -> list[tuple[File, Part]]:
    """The parts whose rows can be looked at, as they depend on each other."""
    places = {kind: place for place, kind in enumerate(Kind)}
    together = [(file, part) for file in files if file.usable for part in file.parts]
    return sorted(together, key=lambda each: places[each[1].found.kind])


def take_in_together(
    sessions: Sessions,
    actor: Actor,
    files: Sequence[File],
    *,
    now: datetime,
    also: Callable[[Session], None],
) -> None:
    """Import the rehearsed files, all of them or nothing. ``also`` sees them as they were imported, and what it writes
    is committed with them; where it raises, nothing is. Conflict where one is refused now.
    """
    actor.require(Permission.IMPORT)
    together = _in_order(files)

    def learn(session: Session, outcomes: list[Outcome]) -> None:
        for (_file, part), outcome in zip(together, outcomes, strict=True):
            part.outcome = outcome
        for file in files:
            file.imported = True
        also(session)

    works = [_incoming(file, part) for file, part in together]
    try:
        outcomes = service.apply_together(sessions, actor, works, now=now, also=learn)
    except BaseException:
        for file in files:
            file.imported = False
        raise
    if not all(outcome.applied for outcome in outcomes):
        raise Conflict("What is there has changed meanwhile, and something is unsure now: check the file again.")


def take_in(
    sessions: Sessions,
    actor: Actor,
    files: Sequence[File],
    *,
    now: datetime,
    holds_up: Callable[[Doubt], bool],
) -> None:
    """Import the rehearsed files, each whole or not at all. One with a doubt that ``holds_up`` stays out, also where it
    arises only now, and holds up those alone that need what it would have brought.
    """
    actor.require(Permission.IMPORT)
    places = {kind: place for place, kind in enumerate(Kind)}
    usable = [file for file in files if file.usable]
    refused: dict[Kind | None, str] = {}
    for file in sorted(usable, key=lambda each: min(places[part.found.kind] for part in each.parts)):
        if not any(holds_up(doubt) for doubt in file.doubts):
            _take_in(sessions, actor, file, refused, now=now, holds_up=holds_up)
        if not file.imported:
            refused |= {part.found.kind: file.found.file_name for part in file.parts}


def _take_in(
    sessions: Sessions,
    actor: Actor,
    file: File,
    refused: dict[Kind | None, str],
    *,
    now: datetime,
    holds_up: Callable[[Doubt], bool],
) -> None:
    def still_sure(_session: Session, outcomes: list[Outcome]) -> None:
        for part, outcome in zip(file.parts, outcomes, strict=True):
            part.outcome = outcome
        if any(holds_up(doubt) for doubt in file.doubts):
            raise Conflict("What is there has changed meanwhile, and something is unsure now: check the file again.")

    for part in file.parts:
        part.problem = rejections.waits_for_everyone(part.found.mapping, refused)
    if any(part.problem for part in file.parts):
        return
    works = [_incoming(file, part) for part in file.parts]
    try:
        outcomes = service.apply_together(sessions, actor, works, now=now, also=still_sure)
    except BillingError as refusal:
        for part in file.parts:
            _learn(part, refusal, refused)
        return
    for part, outcome in zip(file.parts, outcomes, strict=False):
        _learn(part, outcome, refused)
    file.imported = all(outcome.applied for outcome in outcomes)
    if not file.imported:
        for part in file.parts[: len(outcomes) - 1] + file.parts[len(outcomes) :]:
            part.problem = _BESIDE.format(file.found.file_name)


def _learn(part: Part, answer: Outcome | BillingError, refused: dict[Kind | None, str]) -> None:
    if isinstance(answer, BillingError):
        part.outcome, part.problem = None, received.printable(str(answer))
        return
    part.outcome = answer
    part.problem = rejections.waits_for(answer.groups, refused) or rejections.waits_for_everyone(
        part.found.mapping, refused
    )


def _incoming(file: File, part: Part) -> Incoming:
    # The mapping is complete: what it leaves out is left out.
    left_out: dict[str, Origin | None] = {
        item.name: None for item in DEFINITIONS[part.found.kind].fields if item.name not in part.found.mapping
    }
    for list_of_rows in (part.rejected, part.removed):
        list_of_rows.seek(0)
        list_of_rows.truncate()
    found = part.found
    return Incoming(
        found.kind,
        file.stream,
        file.found.file_name,
        {**left_out, **found.mapping},
        rejected_rows=part.rejected,
        gone_rows=part.removed,
        lines=found.lines,
        repeats=found.repeats,
        may_set_aside=found.may_set_aside,
        layout=file.found.layout,
        kinds=file.found.kinds,
        progress=file.progress,
    )


def next_steps(sessions: Sessions, actor: Actor, files: Sequence[File]) -> list[Step]:
    """What is to be done next about what was imported."""
    kinds = {part.found.kind for file in files if file.imported for part in file.parts}
    with sessions() as session:
        return counting.after(session, actor, kinds)


def told(sessions: Sessions, files: Sequence[File], *, now: datetime) -> list[dict[str, Any]]:
    """The files in the words of programs."""
    with sessions() as session:
        business = default_business(session)
    setting = Setting(business.id, business.currency, business.time_zone, now)
    return [_told(file, setting) for file in files]


def _told(file: File, setting: Setting) -> dict[str, Any]:
    of_parts = [telling.part_told(file.found, part.found, setting, part.outcome) for part in file.parts]
    return {**telling.file_told(file.found, of_parts, file.doubts), "imported": file.imported}
