"""Reading the mailbox to which mails come back, from where it was left."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from billing_core.bounces import mailbox, recording, reports
from billing_core.bounces.mailbox import Position
from billing_core.bounces.models import ReadMailbox
from billing_core.connections import Mailbox
from billing_core.database import Sessions
from billing_core.identity import Actor

# What a mailbox that nobody has read yet is read of: nothing comes back after so long.
_SINCE: Final = timedelta(days=30)
# The rest is read the next time.
MOST_AT_ONCE: Final = 500


def read(
    sessions: Sessions,
    actor: Actor,
    box: Mailbox,
    *,
    now: datetime,
    ending: Callable[[], bool] = lambda: False,
    limit: int = MOST_AT_ONCE,
) -> int:
    """Read what has come since the last time; returns of how many receivers that told something new.

    Each mail and how far the mailbox is read with it are written down together, so that nothing is left out. What is
    read again, after the mailbox has numbered its mails anew, changes nothing.
    """
    with sessions() as session:
        known = session.get(ReadMailbox, box.name)
        after = Position(known.uid_validity, known.last_uid) if known else None
    new = 0
    for position, mail in mailbox.fetched(box, after, since=(now - _SINCE).date(), limit=limit):
        report = reports.read(mail)
        with sessions.begin() as session:
            new += recording.record(session, actor, report, now=now) if report else 0
            _keep(session, box, position, now)
        if ending():
            break
    return new


def _keep(session: Session, box: Mailbox, position: Position, now: datetime) -> None:
    facts = ReadMailbox(name=box.name, uid_validity=position.uid_validity, last_uid=position.last_uid, read_at=now)
    session.merge(facts)
