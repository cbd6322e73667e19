"""The mailbox to which mails come back, read by IMAP (RFC 3501). Failures are explained in words that an administrator
can act on.

Nothing in it changes: it is opened for reading alone, so that no mail is deleted, moved or marked as read.
"""

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

from billing_core.bounces.reports import MOST_BYTES
from billing_core.bounces.wording import in_one_line
from billing_core.connections import Mailbox, failed
from billing_core.errors import UpstreamFailed

# Seconds for each step of the dialogue.
TIMEOUT_SECONDS: Final = 30
# As IMAP names them, whatever the server's language is.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Position:
    """All mails up to the number ``last_uid`` are read. Once the mailbox has another ``uid_validity``, it has given all
    its mails other numbers.
    """

    uid_validity: int
    last_uid: int


def fetched(box: Mailbox, after: Position | None, *, since: date, limit: int) -> Iterator[tuple[Position, bytes]]:
    """The mails that follow, the oldest first, and the position after each; of a long one its beginning. Where nothing
    is read yet, or the numbers have changed, those since a day.

    The position stays before a mail that the server refuses, which is told after those that follow it: they are read
    again with it.
    """
    with _explained(box):
        connection = _connect(box)
        try:
            yield from _mails(connection, box, after, since, limit)
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                connection.logout()
            # Also where the server has left before us.
            with suppress(OSError):
                connection.shutdown()


def _mails(
    connection: imaplib.IMAP4, box: Mailbox, after: Position | None, since: date, limit: int
) -> Iterator[tuple[Position, bytes]]:
    answer, said = connection.select(f'"{box.folder}"', readonly=True)
    if answer != "OK":
        raise UpstreamFailed(f"The mailbox {box} cannot be opened: {_words(box, said)}")
    validity = int(connection.response("UIDVALIDITY")[1][0] or b"0")
    last = after.last_uid if after and after.uid_validity == validity else 0
    which = f"UID {last + 1}:*" if last else f"SINCE {since.day}-{_MONTHS[since.month - 1]}-{since.year}"
    answer, said = connection.uid("SEARCH", which)
    if answer != "OK":
        raise UpstreamFailed(f"The mailbox {box} cannot be searched: {_words(box, said)}")
    # “*” is the last mail, also where none follows.
    uids = sorted(uid for uid in map(int, (said[0] or b"").split()) if uid > last)
    refused: tuple[int, str] | None = None
    for uid in uids[:limit]:
        answer, parts = connection.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
        if answer != "OK":
            refused = refused or (uid, _words(box, parts))
            continue
        # Nothing where somebody has deleted it meanwhile.
        mail = next((part[1] for part in parts if isinstance(part, tuple)), b"")
        yield Position(validity, refused[0] - 1 if refused else uid), mail
    if refused:
        raise UpstreamFailed(
            f"The mailbox {box} does not give mail {refused[0]} ({refused[1]}). It is asked for again each time; "
            "moved to another folder, it is left out"
        )


def _connect(box: Mailbox) -> imaplib.IMAP4:
    server, context = box.server, ssl.create_default_context()
    if server.tls == "from the start":
        connection: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            server.host, server.port, ssl_context=context, timeout=TIMEOUT_SECONDS
        )
    else:
        connection = imaplib.IMAP4(server.host, server.port, timeout=TIMEOUT_SECONDS)
    try:
        if server.tls == "required":
            if "STARTTLS" not in connection.capabilities:
                raise UpstreamFailed(
                    f"The mail server {server} offers no encryption, so the password was not sent to it. "
                    "With starttls=0 in BILLING_BOUNCE_MAILBOX it would be"
                )
            connection.starttls(context)
        _sign_in(connection, box)
    except BaseException:
        with suppress(OSError):
            connection.shutdown()
        raise
    return connection


def _sign_in(connection: imaplib.IMAP4, box: Mailbox) -> None:
    user, password = box.server.user, box.server.password
    try:
        if "AUTH=PLAIN" in connection.capabilities:
            connection.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        else:
            connection.login(user, password)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, UnicodeError) as error:
        raise UpstreamFailed(
            f"The mail server {box.server} does not accept the user or the password of BILLING_BOUNCE_MAILBOX "
            f"({_words(box, [str(error).encode('utf-8', 'replace')])})"
        ) from None


@contextmanager
def _explained(box: Mailbox) -> Iterator[None]:
    """imaplib's and the network's errors in our words; never with the password, whatever the server says."""
    server = box.server
    try:
        yield
    except OSError as error:
        raise failed(server, error, seconds=TIMEOUT_SECONDS) from None
    except (imaplib.IMAP4.error, ValueError, IndexError, TypeError) as error:
        words = _words(box, [str(error).encode("utf-8", "replace")])
        raise UpstreamFailed(f"The mail server {server} does not speak IMAP as expected: {words}") from None


def _words(box: Mailbox, said: list[bytes | None]) -> str:
    text = b" ".join(part for part in said if isinstance(part, bytes)).decode("utf-8", "replace")
    return in_one_line(text.replace(box.server.password, "…"))
