"""``python -m benchmarks.importing.made_to_fill``: files made to fill memory or a disk, in their real size.

No part of ``make bench``: what they are refused with, and that little memory is needed, is tested with smaller ones
(``tests/imports/sources/huge.py``). Each is imported in a process of its own into a new database. Prints what was said
of it, its size, seconds, and the most memory that the process ever held.
"""

import gzip
import io
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import func, select

from benchmarks.importing.processes import ROOT, begun, empty, peak_kb
from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Role, actor_with
from billing_core.imports import Kind, inbox, service, steps
from billing_core.imports.incoming import Incoming
from billing_core.imports.models import FileState
from tests.imports.sources.huge import MEGABYTE, Generated

GIGABYTE = 1024 * MEGABYTE
ANA = actor_with(Role.ADMIN, user_id=1, name="Ana")
HEADER = b"customer_ref,name\n"


def _text(start: bytes, piece: bytes, size: int, end: bytes = b"") -> Callable[[], BinaryIO]:
    return lambda: io.BufferedReader(Generated(start, piece, size, end))


def _rows(size: int) -> Iterator[bytes]:
    """Customers, which shrink as tables do."""
    written, number = 0, 0
    while written < size:
        rows = b"".join(b"C%09d,%x Ltd\n" % (each, each * 2_654_435_761) for each in range(number, number + 10_000))
        number += 10_000
        written += len(rows)
        yield rows


def _truncated_gzip() -> BinaryIO:
    """A gigabyte of customers, of which the last kilobyte did not come."""
    target = tempfile.TemporaryFile()  # noqa: SIM115  whoever reads it closes it
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1) as packed:
        packed.write(HEADER)
        for rows in _rows(GIGABYTE):
            packed.write(rows)
    target.truncate(target.tell() - 1024)
    return target


def _bomb(piece: bytes, *, gigabytes: int = 10) -> Callable[[], BinaryIO]:
    def made() -> BinaryIO:
        target = tempfile.TemporaryFile()  # noqa: SIM115  whoever reads it closes it
        with (
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("customers.csv", "w", force_zip64=True) as member,
        ):
            member.write(HEADER)
            for _ in range(gigabytes * 1024):
                member.write(piece * (MEGABYTE // len(piece)))
        return target

    return made


def _gzip_bomb() -> BinaryIO:
    target = tempfile.TemporaryFile()  # noqa: SIM115  whoever reads it closes it
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1) as packed:
        packed.write(HEADER)
        for _ in range(10 * 1024):
            packed.write(b"C1,A Ltd\n" * (MEGABYTE // 9))
    return target


CASES: dict[str, tuple[str, Callable[[], BinaryIO]]] = {
    "a small file": ("customers.csv", lambda: io.BytesIO(HEADER + b"C1,A Ltd\n")),
    "a gigabyte in one cell": ("customers.csv", _text(HEADER + b"C1,", b"x", GIGABYTE, b"\n")),
    "a gigabyte in one cell in quotes": ("customers.csv", _text(HEADER + b'C1,"', b"x\n", GIGABYTE, b'"\n')),
    "10,000,000 columns": ("customers.csv", _text(HEADER[:-1], b",a", 20_000_000, b"\nC1,A Ltd\n")),
    "10,000,000 columns in a row": ("customers.csv", _text(HEADER + b"C1,A Ltd", b",a", 20_000_000, b"\n")),
    "a gigabyte in a gzip that was cut off": ("customers.csv.gz", _truncated_gzip),
    "10 GB of zeros in a ZIP": ("customers.zip", _bomb(b"\0")),
    "10 GB of a row in a ZIP": ("customers.zip", _bomb(b"C1,A Ltd\n")),
    "10 GB of a row in a gzip": ("customers.csv.gz", _gzip_bomb),
}


def _by_file(sessions: Sessions, name: str, stream: BinaryIO) -> str:
    """As commands do."""
    outcome = service.apply(sessions, ANA, Incoming(Kind.CUSTOMERS, stream, name), now=utc_now())
    return f"imported {outcome.new}, rejected {outcome.rejected}"


def _by_page(sessions: Sessions, name: str, stream: BinaryIO) -> str:
    """As the page does: unpacked, stored in parts first, and worked on from there."""
    files = inbox.receive_all(sessions, ANA, name, stream, now=utc_now())
    if tokens := [file.token for file in files if file.state is FileState.NEW]:
        with sessions.begin() as session:
            for token in tokens:
                inbox.choose_kind(session, ANA, token, Kind.CUSTOMERS)
        with sessions.begin() as session:
            job = inbox.import_(session, ANA, tokens, now=utc_now())
        steps.work_off(sessions, job)
        with sessions() as session:
            files = inbox.files_of(session, ANA)
    return "; ".join(f"{file.state}: {file.problem}" for file in files)


def _one(case: str, way: str) -> None:
    name, make = CASES[case]
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as scratch, make() as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        sessions, idle = begun(empty(Path(scratch) / "database.sqlite3"))
        began = time.perf_counter()
        try:
            said = {"file": _by_file, "page": _by_page}[way](sessions, name, stream)
        except Invalid as problem:
            said = str(problem)
        told = f"{time.perf_counter() - began:.1f} s, {peak_kb() // 1024} MB"
        with sessions() as session:
            changed = [session.scalar(select(func.count()).select_from(table)) for table in (Customer, AuditEntry)]
    print(f"{case} by {way}: {size:,} bytes, {told} (idle {idle // 1024} MB), changed {changed}: {said[:200]}")


def main() -> None:
    for case, (name, _) in CASES.items():
        for way in ("file", "page") if name.endswith(".csv") else ("page",):
            subprocess.run([sys.executable, "-m", __spec__.name, case, way], check=True, cwd=ROOT)


if __name__ == "__main__":
    _one(*sys.argv[1:]) if sys.argv[1:] else main()
