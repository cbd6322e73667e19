"""A real mail server for tests, and messages to put into the outbox."""

import email
import socket
import ssl
import threading
from email import policy
from email.message import EmailMessage
from functools import cache

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from billing_core.outbox.service import Message


class PostOffice:
    """Takes mails in and keeps them. ``refused`` are recipients with the answer that they get."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.taken_for: list[str] = []
        self.sent_by: list[str] = []
        self.contents: list[bytes] = []
        self.refused: dict[str, str] = {}
        self.farewell = "221 Bye"
        self._arrived = threading.Condition()

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        with self._arrived:
            self.taken_for += envelope.rcpt_tos
            self.sent_by.append(envelope.mail_from)
            self.contents.append(bytes(envelope.content))
            self.mails.append(email.message_from_bytes(envelope.content, policy=policy.default))
            self._arrived.notify_all()
        return "250 Taken"

    async def handle_QUIT(self, server, session, envelope):  # noqa: N802
        return self.farewell

    def wait_for(self, number: int) -> list[EmailMessage]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.mails) >= number, timeout=300), self.mails
        return self.mails

    @property
    def recipients(self) -> list[str]:
        return [str(mail["To"]) for mail in self.mails]


@cache
def authority() -> trustme.CA:
    """Who signs the mail servers' certificates; nobody trusts it unless a test says so."""
    return trustme.CA()


class MailServer(Controller):
    """``with MailServer(office) as url``. With a ``login`` (user, password) it takes nothing without it; ``tls`` is
    "from the start" or "offered"; ``utf8``: it offers SMTPUTF8."""

    def __init__(
        self, office: PostOffice, *, login: tuple[str, str] | None = None, tls: str = "", utf8: bool = True
    ) -> None:
        self._login, self._scheme = login, "smtps" if tls == "from the start" else "smtp"
        options = {"auth_require_tls": False, "auth_required": True, "authenticator": self._check} if login else {}
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority().issue_cert("127.0.0.1").configure_cert(context)
            options["ssl_context" if tls == "from the start" else "tls_context"] = context
        super().__init__(office, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=utf8, **options)

    def _check(self, server: SMTP, session, envelope, mechanism, data: LoginPassword) -> AuthResult:
        right = (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=right, handled=False)

    def __enter__(self) -> str:
        self.start()
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __exit__(self, *_error) -> None:
        self.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def a_message(key: str = "k1", recipient: str = "ap@acme.example", **facts) -> Message:
    content = {"text": "Dear Acme,\n", "html": "<p>Dear Acme,</p>", "sender_name": "Müller & Söhne"}
    known = {"channel": "mail", "topic": "invoice", "title": f"Subject {key}", "subject": ("invoice", 1)}
    return Message(key=key, recipient=recipient, **known | {"content": content} | facts)
