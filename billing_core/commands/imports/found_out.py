"""``import auto FILE …``: take files in of which it is found out what they hold, or say what is unsure, why, and which
option answers it.
"""

import shlex
import shutil
import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.commands.imports.files import opened, read_as, written
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, Lines, Repeats
from billing_core.imports.automatic import taking_in, telling
from billing_core.imports.automatic.answers import Answers
from billing_core.imports.automatic.doubts import Doubt
from billing_core.imports.automatic.taking_in import File, Part
from billing_core.imports.kinds.registry import DEFINITIONS

# Of answers, on one line.
MOST_ANSWERS = 10


def import_files(arguments: Namespace) -> Answer:
    now, sessions = utc_now(), runtime.sessions()
    answers = _answers(arguments)
    with ExitStack() as held:
        given, unreadable = [], []
        for file in arguments.files:
            try:
                given.append((file.name, held.enter_context(opened(file))))
            except BillingError as refusal:
                if len(arguments.files) == 1:
                    raise
                unreadable.append(f"{file}: {refusal}")
        files = held.enter_context(taking_in.opened(sessions, SYSTEM, given, answers))
        files = taking_in.only(files, arguments.member)
        taking_in.rehearse(sessions, SYSTEM, files, now=now)
        stays_out = _any if arguments.when_certain else _must
        if not arguments.dry_run:
            taking_in.take_in(sessions, SYSTEM, files, now=now, holds_up=stays_out)
        _write_lists(files, arguments)
        steps = taking_in.next_steps(sessions, SYSTEM, files)
        data: dict[str, Any] = {
            "files": taking_in.told(sessions, files, now=now),
            "unreadable": unreadable,
            "next_steps": telling.steps_told(steps),
        }
        held_up = [file for file in files if not file.imported and any(map(stays_out, file.doubts))]
        refused = bool(held_up or unreadable) or (not arguments.dry_run and not all(file.imported for file in files))
        _tell(files, unreadable, dry_run=arguments.dry_run)
        lines = [line for file in files for line in _lines_of(file)]
    return Answer(data, "\n".join([*lines, *(f"next: {step.words}" for step in steps)]), refused=refused)


def _must(doubt: Doubt) -> bool:
    return doubt.must


def _any(_doubt: Doubt) -> bool:
    return True


def _answers(arguments: Namespace) -> Answers:
    return Answers(
        profile=arguments.profile,
        kinds=tuple(map(Kind, arguments.kind_of)),
        maps=tuple(arguments.map),
        words=tuple(arguments.word),
        readings=tuple(arguments.reading),
        lines=None if arguments.lines is None else Lines(arguments.lines),
        repeats=None if arguments.repeats is None else Repeats(arguments.repeats),
        set_aside=arguments.set_aside,
        owner=arguments.no_customer,
        source=read_as(arguments),
    )


def _write_lists(files: list[File], arguments: Namespace) -> None:
    """Of one part by the name that was given, of several each with its kind before the ending."""
    parts = [part for file in files for part in file.parts]
    for target, rows in ((arguments.rejected, "rejected"), (arguments.removed, "removed")):
        taken: set[Path] = set()
        for part in parts if target is not None else ():
            content = getattr(part, rows)
            content.seek(0)
            path = target if len(parts) == 1 else _named(target, part, taken)
            first = content.read(1)
            if first or len(parts) == 1:
                content.seek(0)
                with written(path) as out:
                    if out is not None:
                        shutil.copyfileobj(content, out)


def _named(target: Path, part: Part, taken: set[Path]) -> Path:
    kind, number = part.found.kind.value, 1
    path = target.with_stem(f"{target.stem}-{kind}")
    while path in taken:
        number += 1
        path = target.with_stem(f"{target.stem}-{kind}-{number}")
    taken.add(path)
    return path


def _lines_of(file: File) -> list[str]:
    source = f" ({file.found.source})" if file.found.source else ""
    titles = ", ".join(DEFINITIONS[part.found.kind].title.lower() for part in file.parts) or "not known"
    return [f"{file.found.file_name}: {titles}{source}", *(f"  {_counts(part)}" for part in file.parts if part.outcome)]


def _counts(part: Part) -> str:
    outcome = part.outcome
    assert outcome is not None  # noqa: S101  # the caller has looked
    would_be = "" if outcome.applied else "would be "
    counts = [
        (f"{would_be}new", outcome.new),
        (f"{would_be}changed", outcome.changed),
        ("unchanged", outcome.unchanged),
    ]
    counts += [("set aside", outcome.set_aside)] if outcome.set_aside else [("rejected", outcome.rejected)]
    seldom = (("removed", outcome.gone), ("passed over", outcome.passed_over), ("left out", outcome.left_out))
    counts += [(words, number) for words, number in seldom if number]
    told = ", ".join(f"{words}: {number}" for words, number in counts)
    return f"{part.found.kind.value}: {told}"


def _tell(files: list[File], unreadable: list[str], *, dry_run: bool) -> None:
    """What is unsure, each with the options that answer it."""
    for line in unreadable:
        _say(line)
    for file in files:
        if file.doubts:
            _say(f"{file.found.file_name} {_fate(file, dry_run=dry_run)}")
        for doubt in file.doubts:
            kind = f"{doubt.kind.value}: " if doubt.kind is not None and len(file.parts) > 1 else ""
            _say(f"  {kind}{doubt.text}")
            if doubt.answers:
                options = [f"--{one.option} {shlex.quote(one.value)}" for one in doubt.answers[:MOST_ANSWERS]]
                _say(f"    answered by {', or '.join(options)}")


def _fate(file: File, *, dry_run: bool) -> str:
    if file.imported:
        return "was imported. Unsure of it:"
    if dry_run:
        must = any(doubt.must for doubt in file.doubts)
        return "would not be imported before it is answered:" if must else "would be imported. Unsure of it:"
    return "was not imported:"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
