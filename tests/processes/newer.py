"""What a newer version has written, which this one does not know."""

from sqlalchemy import inspect, text


def paused(session, queue: str) -> None:
    """A queue of that version, whose migration has widened the CHECK. The session is not to be committed."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        session.execute(text("PRAGMA ignore_check_constraints = ON"))
    else:
        (check,) = inspect(connection).get_check_constraints("paused_queues")
        session.execute(text(f"ALTER TABLE paused_queues DROP CONSTRAINT {check['name']}"))
    row = "INSERT INTO paused_queues (queue, paused_at, paused_by) VALUES (:queue, :at, 'Grace Hopper')"
    session.execute(text(row), {"queue": queue, "at": "2026-05-01 10:00:00+00:00"})
