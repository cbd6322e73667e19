"""Sending a mail through a mail server; failures are explained in words that an administrator can act on."""

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

from billing_core.connections import MailServer, failed
from billing_core.email_addresses import on_the_wire
from billing_core.errors import UpstreamFailed
from billing_core.outbox.delivery import Refused
from billing_core.outbox.mail import as_bytes, beyond_ascii

# Seconds for each step of the dialogue.
TIMEOUT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """Why the mail server does not take a mail for somebody; ``final``: it never will."""

    text: str
    final: bool


def send(to: MailServer, mail: EmailMessage, *, recipients: Sequence[str], sender: str) -> dict[str, Answer]:
    """Returns once the mail is accepted for all, or for some: then with what was said of each of the others.

    Where it is accepted for nobody: Refused if it never will be, UpstreamFailed if a retry may succeed. ``sender`` is
    to whom mail servers return it.
    """
    with _explained(to, sender):
        connection = _connect(to)
        try:
            answers = _hand_over(connection, to, mail, recipients, sender)
        finally:
            # It has accepted or refused by now: a failing QUIT must not cause another try.
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()
    if len(answers) == len(recipients):
        kind = Refused if all(answer.final for answer in answers.values()) else UpstreamFailed
        raise kind("; ".join(answer.text for answer in answers.values()))
    return answers


def _hand_over(
    connection: smtplib.SMTP, to: MailServer, mail: EmailMessage, recipients: Sequence[str], sender: str
) -> dict[str, Answer]:
    """The answers about those for whom it was not accepted."""
    wires = dict.fromkeys(map(on_the_wire, recipients))
    answers: dict[str, Answer] = {}
    if not connection.has_extn("smtputf8"):
        mail = _in_ascii(mail, to)
        answers |= {wire: Answer(_beyond_ascii(wire, to), final=True) for wire in wires if not wire.isascii()}
    if going := [wire for wire in wires if wire not in answers]:
        options = [] if "".join((*going, *beyond_ascii(mail))).isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        told = []
        if connection.has_extn("dsn"):
            # RFC 3461: to be told of what does not arrive and of what is late, by the name that the mail has with us.
            options += ["RET=HDRS", f"ENVID={mail['Message-ID'].strip('<>').partition('@')[0]}"]
            told = ["NOTIFY=FAILURE,DELAY"]
        try:
            refused = connection.sendmail(
                on_the_wire(sender), going, as_bytes(mail), mail_options=options, rcpt_options=told
            )
        except smtplib.SMTPRecipientsRefused as nobody:
            # A server that ends the conversation at one of them has not been asked about those after it.
            refused = dict.fromkeys(going, list(nobody.recipients.values())[-1]) | nobody.recipients
        for wire, (code, text) in refused.items():
            said = f"The mail server does not take mail for {wire}: {_answer(to, code, text)}"
            answers[wire] = Answer(said, final=_kind(code) is Refused)
    return {one: answers[wire] for one in recipients if (wire := on_the_wire(one)) in answers}


def _in_ascii(mail: EmailMessage, to: MailServer) -> EmailMessage:
    """Without the receivers whom this server cannot reach; Refused where it is our own address."""
    if not beyond_ascii(mail):
        return mail
    for name in ("From", "Reply-To"):
        for one in mail[name].addresses if mail[name] else ():
            if not one.addr_spec.isascii():
                raise Refused(_beyond_ascii(one.addr_spec, to))
    plain = copy(mail)
    for name in ("To", "Cc"):
        kept = [one for one in mail[name].addresses if one.addr_spec.isascii()] if mail[name] else []
        del plain[name]
        if kept:
            plain[name] = kept
    return plain


def _beyond_ascii(address: str, to: MailServer) -> str:
    return (
        f"The mail server {to} does not take the letters beyond ASCII in {address}: it does not offer SMTPUTF8. "
        "Use another address, or set up a mail server that does"
    )


def _connect(to: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if to.tls == "from the start":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(to.host, to.port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = smtplib.SMTP(to.host, to.port, timeout=TIMEOUT_SECONDS)
    try:
        encrypted = to.tls == "from the start"
        if to.tls in ("required", "offered"):
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=context)
                encrypted = True
            elif to.tls == "required":
                raise UpstreamFailed(f"The mail server {to} offers no encryption, and BILLING_SMTP_URL asks for it")
        connection.ehlo_or_helo_if_needed()
        if to.user:
            if not encrypted and to.tls != "never":
                raise UpstreamFailed(
                    f"The mail server {to} offers no encryption, so the password was not sent to it. "
                    "With starttls=0 in BILLING_SMTP_URL it would be"
                )
            if not connection.has_extn("auth"):
                raise UpstreamFailed(f"The mail server {to} accepts no password, but BILLING_SMTP_URL has one")
            connection.login(to.user, to.password)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _explained(to: MailServer, sender: str) -> Iterator[None]:
    """smtplib's and the network's errors in our words; never with the password, whatever the server says."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise UpstreamFailed(
            f"The mail server {to} does not accept the user or the password of BILLING_SMTP_URL ({answer})"
        ) from None
    except smtplib.SMTPSenderRefused as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise _kind(error.smtp_code)(f"The mail server does not take mail from {sender}: {answer}") from None
    except smtplib.SMTPDataError as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise _kind(error.smtp_code)(f"The mail server does not take this mail: {answer}") from None
    except smtplib.SMTPResponseException as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise UpstreamFailed(f"The mail server {to} is not ready for mail: {answer}") from None
    except smtplib.SMTPException:
        raise UpstreamFailed(f"The mail server {to} ended the conversation") from None
    except OSError as error:
        raise failed(to, error, seconds=TIMEOUT_SECONDS) from None


def _kind(code: int) -> type[UpstreamFailed]:
    """53x is about our credentials: once the settings are right, the same mail will be accepted."""
    return Refused if 500 <= code < 600 and code // 10 != 53 else UpstreamFailed


def _answer(to: MailServer, code: int, text: bytes | str) -> str:
    answer = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if to.password:
        answer = answer.replace(to.password, "…")
    printable = "".join(character if character.isprintable() else " " for character in answer)
    return f"{code} {' '.join(printable.split())[:200]}".strip()
