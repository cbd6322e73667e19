"""What these measurements share: databases to begin with, and work in a process of its own, whose memory is its own."""

import gc
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade

ROOT = Path(__file__).parent.parent.parent


def empty(file: Path) -> Path:
    """A new database of the present version."""
    file.unlink(missing_ok=True)
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    return whole(file)


def whole(file: Path) -> Path:
    """Without its log, the file alone is the database."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def copy(database: Path, target: Path) -> Path:
    for leftover in ("", "-wal", "-shm"):
        target.with_name(target.name + leftover).unlink(missing_ok=True)
    return Path(shutil.copyfile(database, target))


def bare(database: Path) -> sqlite3.Connection:
    """As the product opens it, but the driver's own, which begins no transaction by itself."""
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def begun(database: Path) -> tuple[Sessions, int]:
    """Sessions that have read the database, and the memory that the process needs for it, in kB."""
    sessions = Sessions(connect(f"sqlite:///{database}"))
    with sessions() as session:
        session.connection()
    gc.freeze()  # as the product does once it has started
    return sessions, peak_kb()


def elsewhere(module: str, *arguments: object) -> tuple[float, float]:
    """What another process prints: seconds, and megabytes above what it began with."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    seconds, growth_mb = answer.stdout.split()
    return float(seconds), float(growth_mb)


def grown_mb(since_kb: int) -> float:
    return (peak_kb() - since_kb) / 1024


def peak_kb() -> int:
    """The most memory this process ever held. (getrusage would also count the parent that it was forked from.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
