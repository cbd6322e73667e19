"""Files on their way in, what was imported, and how each file layout's columns were mapped."""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.imports import Kind, Lines, Repeats


class JobAim(enum.StrEnum):
    """CHECK: say what importing the files would do, and change nothing."""

    CHECK = "check"
    IMPORT = "import"


class FileState(enum.StrEnum):
    """RECEIVING: not all of it is here yet. WAITING and RUNNING: part of a job that is not finished. DISCARDED: nobody
    sees it any more, and what it holds is about to be deleted.
    """

    RECEIVING = "receiving"
    NEW = "not checked"
    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready to import"
    REFUSED = "refused"
    IMPORTED = "imported"
    DISCARDED = "discarded"


class Holds(enum.StrEnum):
    """What a stored part is a part of: the file as it was received, or the CSV file of its rejected rows, or of the
    lines of its orders that would go; or the numbers of the orders that were left out of it, a line each.
    """

    RECEIVED = "received"
    REJECTED = "rejected"
    GONE = "gone"
    LEFT_OUT = "left out"


class ImportJob(Base):
    """Somebody's files that are checked, or imported, one after the other. ``attempt`` counts how often it was put
    into the queue. ``process_id``: the process that has taken it up. ``reason``: why it failed through no fault of the
    files.
    """

    __tablename__ = "import_jobs"
    __table_args__ = (Index("ix_import_jobs_finished_at", "finished_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    aim: Mapped[JobAim]
    attempt: Mapped[int] = mapped_column(default=1)
    requested_at: Mapped[datetime]
    requested_by_id: Mapped[int | None]
    requested_by: Mapped[str] = mapped_column(String(200))
    process_id: Mapped[str | None] = mapped_column(String(40))
    started_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500), default="")


class ImportFile(Base):
    """A file that was dropped by ``owner_id``, who alone sees it, by its ``token``. ``size`` is in bytes. ``layout``
    and ``preview`` are missing where it cannot be read; ``problem`` says why, or why it was not imported. ``lines``:
    what becomes of the lines that its orders have; ``repeats``: which of several rows of one key counts; None: not
    said. ``guessed``: its columns were matched by their names alone, as no file of its layout was imported before.
    ``may_set_aside``: its other rows are imported where at most so many are rejected.
    Of a file that holds several kinds each has a row: the first keeps what was received, the others name it as their
    ``source_id``; those that are ``left_out`` are not imported. ``done`` of ``total`` is the progress of ``step``,
    ``outcome`` what the latest check or the import found.
    """

    __tablename__ = "import_files"
    __table_args__ = (
        UniqueConstraint("token"),
        Index("ix_import_files_owner_id", "owner_id"),
        Index("ix_import_files_job_id", "job_id"),
        Index("ix_import_files_received_at", "received_at"),
        Index("ix_import_files_source_id", "source_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(24))
    owner_id: Mapped[int | None]
    file_name: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    received_at: Mapped[datetime]
    layout: Mapped[dict[str, Any] | None]
    preview: Mapped[list[list[str]] | None] = mapped_column(JSON(none_as_null=True))
    kind: Mapped[Kind | None]
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    lines: Mapped[Lines | None]
    repeats: Mapped[Repeats | None]
    guessed: Mapped[bool] = mapped_column(default=False, server_default=false())
    source_id: Mapped[int | None] = mapped_column(ForeignKey("import_files.id"))
    left_out: Mapped[bool] = mapped_column(default=False, server_default=false())
    may_set_aside: Mapped[int] = mapped_column(default=0, server_default="0")
    state: Mapped[FileState] = mapped_column(default=FileState.RECEIVING)
    job_id: Mapped[int | None] = mapped_column(ForeignKey(ImportJob.id, ondelete="RESTRICT"))
    step: Mapped[str] = mapped_column(String(40), default="")
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=1)
    outcome: Mapped[dict[str, Any] | None]
    problem: Mapped[str] = mapped_column(Text, default="")


class ImportFilePart(Base):
    """About a megabyte of a file. They are read and written one at a time."""

    __tablename__ = "import_file_parts"

    file_id: Mapped[int] = mapped_column(ForeignKey(ImportFile.id, ondelete="RESTRICT"), primary_key=True)
    holds: Mapped[Holds] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class PostedImport(Base):
    """A file that a program has posted, which ``owner`` alone sees: the key or the person it works for. Its bytes and
    its state are those of the ImportFile, which belongs to nobody, so that no page shows it; further files of that
    hold its lists.

    ``answers``: what was said of it, by field. ``found``: what the latest check, or the import, says in the words of
    programs. ``confirm_token`` stands for exactly what it says; empty where there is nothing to confirm. ``changed``:
    the database was another one when it was confirmed, so that it was checked again instead of imported.
    """

    __tablename__ = "posted_imports"
    __table_args__ = (UniqueConstraint("file_id"), Index("ix_posted_imports_owner", "owner", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey(ImportFile.id, ondelete="RESTRICT"))
    owner: Mapped[str] = mapped_column(String(80))
    answers: Mapped[dict[str, Any]]
    when_certain: Mapped[bool]
    found: Mapped[dict[str, Any] | None]
    confirm_token: Mapped[str] = mapped_column(String(64), default="")
    changed: Mapped[bool] = mapped_column(default=False)


class ImportRun(Base):
    """One imported file: its name, what it changed, who imported it, and who has taken it back since.
    ``set_aside_count`` rows of it were rejected, and not imported with the others.

    Rows that it made have its id as their ``import_id``; their own ids are not below ``first_id``, which is None where
    nothing was written down: nothing changed, or that was before imports could be taken back. Events of usage have its
    ``batch``. ``mapping``: as ``mapping.to_json`` says.
    """

    __tablename__ = "import_runs"
    __table_args__ = (Index("ix_import_runs_created_at", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(String(255))
    checksum: Mapped[str] = mapped_column(String(64))
    new_count: Mapped[int]
    changed_count: Mapped[int]
    unchanged_count: Mapped[int]
    gone_count: Mapped[int] = mapped_column(default=0, server_default="0")
    set_aside_count: Mapped[int] = mapped_column(default=0, server_default="0")
    lines: Mapped[Lines | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    first_id: Mapped[int | None] = mapped_column(BigInteger)
    batch: Mapped[int | None] = mapped_column(BigInteger)
    taken_back_at: Mapped[datetime | None]
    taken_back_by_id: Mapped[int | None]
    taken_back_by: Mapped[str | None] = mapped_column(String(200))


class RowEffect(enum.StrEnum):
    """What an import did to a row that was there."""

    CHANGED = "changed"
    REMOVED = "removed"


class ImportedChange(Base):
    """A row that an import found and changed, or removed. ``label`` names it as files do. ``cells`` is a JSON object of
    the columns that changed, each as [before, after] in the form in which the database has them; of a removed row all
    of its columns, without an after.
    """

    __tablename__ = "imported_changes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[int] = mapped_column(ForeignKey(ImportRun.id, ondelete="RESTRICT"), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    effect: Mapped[RowEffect]
    label: Mapped[str] = mapped_column(String(300))
    cells: Mapped[str] = mapped_column(Text)


class ColumnMapping(Base):
    """The mapping last used for files of this kind with exactly these column names."""

    __tablename__ = "column_mappings"
    __table_args__ = (UniqueConstraint("kind", "layout"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    layout: Mapped[str] = mapped_column(String(64))
    mapping: Mapped[dict[str, Any]]
