"""``import KIND FILE``: take a CSV file in, or see with ``--dry-run`` what it would do."""

import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.dates import utc_now
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import read_changes

FIRST_REASONS = 10


def import_file(arguments: Namespace) -> Answer:
    kind = Kind(arguments.kind)
    changes = read_changes(DEFINITIONS[kind], arguments.map)
    take_in = service.check if arguments.dry_run else service.apply
    with _opened(arguments.file) as stream:
        incoming = service.Incoming(kind, stream, arguments.file.name, changes)
        outcome = take_in(runtime.sessions(), SYSTEM, incoming, now=utc_now())
    return _answer(outcome, dry_run=arguments.dry_run)


def _answer(outcome: service.Outcome, *, dry_run: bool) -> Answer:
    data = {
        "new": outcome.new,
        "changed": outcome.changed,
        "unchanged": outcome.unchanged,
        "rejected": outcome.rejected,
        "rejections": [asdict(rejected) for rejected in outcome.rejections],
    }
    # Of a refused file nothing is new, nor changed.
    would_be = "would be " if outcome.rejected else ""
    text = "\n".join(
        f"{words}: {number}"
        for words, number in (
            (f"{would_be}new", outcome.new),
            (f"{would_be}changed", outcome.changed),
            ("unchanged", outcome.unchanged),
            ("rejected", outcome.rejected),
        )
    )
    if outcome.rejected:
        _tell_reasons(outcome, dry_run=dry_run)
    elif not any(data[name] for name in ("new", "changed", "unchanged")):
        print(f"{outcome.file_name} has no rows below the names of its columns", file=sys.stderr)  # noqa: T201
    return Answer(data, text, refused=outcome.rejected > 0)


def _tell_reasons(outcome: service.Outcome, *, dry_run: bool) -> None:
    fate = "would be refused" if dry_run else "was refused: nothing has been imported"
    print(f"{outcome.file_name} {fate}. Rejected rows: {outcome.rejected}", file=sys.stderr)  # noqa: T201
    for row in outcome.rejections[:FIRST_REASONS]:
        place = f"line {row.line}" + (f", {row.column}" if row.column else "")
        print(f"  {place}: “{row.value}” {row.reason}", file=sys.stderr)  # noqa: T201
    if len(outcome.rejections) > FIRST_REASONS:
        print("  …", file=sys.stderr)  # noqa: T201


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file, from a temporary copy where it can only be read once, such as a pipe."""
    try:
        with file.open("rb") as stream:
            if stream.seekable():
                yield stream
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(stream, copy)
                yield copy
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}") from None
    except IsADirectoryError:
        raise NotFound(f"{file} is a folder, not a file") from None
    except PermissionError:
        raise NotFound(f"{file} may not be read by this account") from None
