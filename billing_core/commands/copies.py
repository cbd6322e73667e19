"""``backup``, ``restore`` and ``move``: every row into another database, proven before it counts."""

import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, make_url, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing_core import connections, proof, runtime, schema
from billing_core.audit import service as audit
from billing_core.audit.models import AuditEntry
from billing_core.bill_runs.figures import going_on
from billing_core.bill_runs.models import BillRun
from billing_core.commands import Answer, verify
from billing_core.database import backup_files, connect, copying, migrate
from billing_core.dates import utc_now
from billing_core.errors import Conflict, Invalid, UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.settings import settings


@dataclass(frozen=True, slots=True)
class _Copied:
    """The rows of each table, the checks that fail in the copy as they did in the source, and how many bill runs were
    paused in it.
    """

    rows: Mapping[str, int]
    wrong: tuple[str, ...]
    paused_runs: int = 0

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def answer(self, data: Mapping[str, object], *lines: str) -> Answer:
        sentences = [*lines]
        if self.wrong:
            sentences.append("The copy is complete, but its source was already inconsistent (“verify” says more):")
            sentences += [f"  {wrong}" for wrong in self.wrong]
        facts = {**data, "rows": self.total, "tables": dict(self.rows), "wrong": list(self.wrong)}
        return Answer({**facts, "revision": migrate.head()}, "\n".join(sentences), refused=bool(self.wrong))


def backup(arguments: Namespace) -> Answer:
    engine = runtime.sessions().engine
    migrate.refuse_outdated(engine)
    file = arguments.output or _next_file()
    with _told_to_end_as_by_ctrl_c(), backup_files.new(file) as new:
        copied = _copied(engine, new)
    return copied.answer(
        {"file": str(file), "bytes": file.stat().st_size},
        f"{copied.total:,} rows of {len(copied.rows)} tables are in {file}",
        f"It does not hold the secret: keep {_secret()} too, in another place",
    )


def restore(arguments: Namespace) -> Answer:
    engine = runtime.sessions().engine
    scratch = settings().usable_data_dir()
    with _told_to_end_as_by_ctrl_c(), backup_files.opened(arguments.file, scratch) as backup:
        copied = _copied(backup, engine, pauses_runs=True, noted=("database.restore", arguments.file.name))
    with runtime.sessions()() as session:
        waiting = proof.count(session, OutboxMessage, OutboxMessage.state == MessageState.WAITING)
        last = session.scalar(select(func.max(AuditEntry.at)).where(AuditEntry.subject_kind != "database"))
    lines = [
        f"{copied.total:,} rows of {len(copied.rows)} tables are in {_shown(engine)}. Everybody must sign in again",
        f"The secret was not in the backup: {_secret()} must be as it was then, before the product starts",
    ]
    if last:
        lines.append(
            f"The last change in it was made on {last:%Y-%m-%d at %H:%M} UTC. Numbers of invoices that were sent since "
            "would be given again, and payments that came in since are missing: see “Backups” in the README first"
        )
    if waiting:
        lines.append(
            f"{waiting:,} messages were waiting to leave: they do when the product starts, also those that have left "
            "since the backup. Without BILLING_SMTP_URL mails are kept then, to be looked at"
        )
    if copied.paused_runs:
        lines.append(
            f"{copied.paused_runs:,} bill runs were under way and are paused now: they may have gone on since the "
            "backup, and would bill and mail again. Resume or stop each on its page"
        )
    data = {
        "database": _shown(engine),
        "paused_runs": copied.paused_runs,
        "waiting_messages": waiting,
        "last_change": last and last.isoformat(),
    }
    return copied.answer(data, *lines)


def move(arguments: Namespace) -> Answer:
    source = runtime.sessions().engine
    migrate.refuse_outdated(source)
    with _other(sys.stdin.readline().strip() if arguments.url == "-" else arguments.url) as target:
        if target.url == source.url:
            raise Conflict("That is the database in use")
        copied = _copied(source, target, alone=True, noted=("database.move", f"from {_shown(source)}"))
        back = target.url == make_url(settings().model_copy(update={"database_url": ""}).sqlalchemy_url)
        change = "Unset BILLING_DATABASE_URL" if back else "Set BILLING_DATABASE_URL to that address"
        return copied.answer(
            {"from": _shown(source), "database": _shown(target)},
            f"{copied.total:,} rows of {len(copied.rows)} tables are in {_shown(target)}. Everybody must sign in again",
            f"{change}, then start the product. What is still written to {_shown(source)} is not in the new one",
            f"The secret is not in a database: keep {_secret()} as it is",
        )


def _copied(
    source: Engine,
    target: Engine,
    *,
    alone: bool = False,
    pauses_runs: bool = False,
    noted: tuple[str, str] | None = None,
) -> _Copied:
    """Copy in one transaction that is committed once everything agrees. ``noted``: its audit entry."""
    metadata = schema.metadata
    try:
        with target.connect() as connection:
            copying.refuse_unless_unused(connection, metadata)
        migrate.upgrade(target)
        with copying.reading(source, metadata, alone=alone) as read, copying.writing(target, metadata) as written:
            # Checked again: somebody may have begun to use it meanwhile.
            copying.refuse_unless_unused(written, metadata)
            rows = copying.copy(read, written, metadata)
            wrong = _not_holding(written)
            if wrong and wrong != _not_holding(read):
                raise Conflict("The copy does not hold, and has been undone: " + "; ".join(wrong))
            paused_runs = _pause_runs(written) if pauses_runs else 0
            if noted:
                _note(written, *noted, sum(rows.values()))
    except DBAPIError as error:
        # Such as a server that is down, a full disk, or an account without the right to create tables.
        raise UpstreamFailed(f"A database cannot be reached or used: {str(error.orig).splitlines()[0]}") from None
    return _Copied(rows, wrong, paused_runs)


def _pause_runs(connection: Connection) -> int:
    """Before any process of the copy can take them up."""
    with Session(connection) as session:
        under_way = update(BillRun).where(going_on(), BillRun.paused_at.is_(None))
        under_way = under_way.values(paused_at=utc_now(), pause_reason="It was under way when the backup was made")
        return len(session.scalars(under_way.returning(BillRun.id)).all())


def _not_holding(connection: Connection) -> tuple[str, ...]:
    with Session(connection) as session:
        return tuple(f"{check.name}: {wrong}" for check in verify.checks(session) for wrong in check.wrong)


def _note(connection: Connection, action: str, label: str, rows: int) -> None:
    with Session(connection) as session:
        audit.record(session, SYSTEM, action, ("database", ""), label=label, after={"rows": rows}, now=utc_now())
        session.flush()


@contextmanager
def _told_to_end_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM leaves nothing behind either."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _next_file() -> Path:
    folder = backup_files.usual_folder(settings().usable_data_dir())
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    except OSError as error:
        raise Invalid(f"The folder {folder} cannot be made: {error.strerror}") from None
    return folder / f"billing-{utc_now():%Y%m%dT%H%M%SZ}.sqlite3"


def _secret() -> str:
    """Where the secret is stored. Webhook secrets and tokens are derived from it."""
    configured = settings()
    return "BILLING_SECRET_KEY" if configured.secret_key else f"the file {configured.data_dir / 'secret_key'}"


def _shown(engine: Engine) -> str:
    """For people: without the password."""
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def _other(url: str) -> Iterator[Engine]:
    """The database at this address, which is never repeated in messages: it may hold a password."""
    try:
        engine = connect(connections.database(url))
    except ValueError as error:
        raise Invalid(f"The address {error}") from None
    try:
        yield engine
    finally:
        engine.dispose()
