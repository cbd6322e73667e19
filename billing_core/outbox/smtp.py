"""Sending a mail through a mail server; failures are explained in words that an administrator can act on."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import Final

from billing_core.connections import MailServer
from billing_core.errors import UpstreamFailed
from billing_core.outbox.delivery import Refused
from billing_core.outbox.mail import on_the_wire

# Seconds for each step of the dialogue.
TIMEOUT_SECONDS: Final = 30


def send(to: MailServer, mail: EmailMessage, *, recipient: str, sender: str) -> None:
    """Returns once the mail is accepted. Refused where it never will be; UpstreamFailed where a retry may succeed."""
    with _explained(to, recipient, sender):
        connection = _connect(to)
        try:
            connection.send_message(mail, from_addr=on_the_wire(sender), to_addrs=[on_the_wire(recipient)])
        finally:
            # It has accepted or refused by now: a failing QUIT must not cause another try.
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()


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
def _explained(to: MailServer, recipient: str, sender: str) -> Iterator[None]:
    """smtplib's and the network's errors in our words; never with the password, whatever the server says."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise UpstreamFailed(
            f"The mail server {to} does not accept the user or the password of BILLING_SMTP_URL ({answer})"
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise _kind(code)(f"The mail server does not take mail for {recipient}: {_answer(to, code, text)}") from None
    except smtplib.SMTPSenderRefused as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise _kind(error.smtp_code)(f"The mail server does not take mail from {sender}: {answer}") from None
    except smtplib.SMTPDataError as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise _kind(error.smtp_code)(f"The mail server does not take this mail: {answer}") from None
    except smtplib.SMTPNotSupportedError:
        raise Refused(f"The mail server {to} cannot take an address such as {recipient}") from None
    except smtplib.SMTPResponseException as error:
        answer = _answer(to, error.smtp_code, error.smtp_error)
        raise UpstreamFailed(f"The mail server {to} is not ready for mail: {answer}") from None
    except smtplib.SMTPException:
        raise UpstreamFailed(f"The mail server {to} ended the conversation") from None
    except ssl.SSLCertVerificationError as error:
        raise UpstreamFailed(f"The certificate of the mail server {to} is not valid: {error.verify_message}") from None
    except ssl.SSLError:
        raise UpstreamFailed(
            f"No encrypted connection to the mail server {to} could be made: is the port right?"
        ) from None
    except socket.gaierror:
        raise UpstreamFailed(f"There is no mail server {to}: its name cannot be resolved") from None
    except TimeoutError:
        raise UpstreamFailed(f"The mail server {to} did not answer within {TIMEOUT_SECONDS} seconds") from None
    except OSError as error:
        raise UpstreamFailed(f"The mail server {to} cannot be reached: {error.strerror or 'no connection'}") from None


def _kind(code: int) -> type[UpstreamFailed]:
    """53x is about our credentials: once the settings are right, the same mail will be accepted."""
    return Refused if 500 <= code < 600 and code // 10 != 53 else UpstreamFailed


def _answer(to: MailServer, code: int, text: bytes | str) -> str:
    answer = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if to.password:
        answer = answer.replace(to.password, "…")
    printable = "".join(character if character.isprintable() else " " for character in answer)
    return f"{code} {' '.join(printable.split())[:200]}".strip()
