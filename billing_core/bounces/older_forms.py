"""Reports in words alone, as qmail, Exim, and older servers of Google and Microsoft write them.

Only from a mail system, by the words that it begins with, and only of who is named after them: a person who quotes one
of our mails reports nothing.
"""

import re
from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from itertools import islice
from typing import Final

from billing_core.bounces.wording import ADDRESS_LENGTH, Told, in_one_line

_SYSTEMS: Final = re.compile(r"(mailer-daemon|mail-daemon|postmaster|microsoftexchange[0-9a-f]*)(\+.*)?", re.IGNORECASE)
# All of them say that the server has given up.
_GIVEN_UP: Final = (
    "This is the qmail-send program at",
    "could not be delivered to one or more of its",
    "failed permanently:",
    "did not reach the following recipient(s):",
    "Delivery has failed to these recipients or",
)
# Where the copy of our mail begins, which names everybody who got it.
_COPY: Final = re.compile(
    r"^(?:-{3}[^\n]{0,200}(?:copy|original message)"
    r"|(?:Return-Path|Received|Message-ID|DKIM-Signature|Original message headers):)",
    re.MULTILINE | re.IGNORECASE,
)
_ADDRESS: Final = re.compile(rf"[^\s<>()\[\],;:\"']{{1,64}}@[^\s<>()\[\],;:\"']{{1,{ADDRESS_LENGTH - 65}}}")
_STATUS: Final = re.compile(r"(?<![\d.])5\.\d{1,3}\.\d{1,3}(?![\d.])")
_MESSAGE_ID: Final = re.compile(r"^[ \t>]*Message-ID:[ \t]*(?:\r?\n[ \t]+)?(.{1,400})$", re.MULTILINE | re.IGNORECASE)
_MOST: Final = 100


def told(fields: Mapping[str, str], text: str) -> Iterator[Told]:
    """By its headers, by their names in small letters, and its text."""
    if not _is_from_a_system(fields):
        return
    begun = next((place + len(words) for words in _GIVEN_UP if (place := text.find(words)) >= 0), None)
    named = [one.strip() for one in fields.get("x-failed-recipients", "").split(",") if "@" in one]
    if begun is None and not named:
        return
    copied = _COPY.search(text, begun or 0)
    words = text[begun or 0 : copied.start() if copied else None]
    after = _said_of_each(words)
    for address in named or after:
        reason = after.get(address.lower(), in_one_line(words))
        status = _STATUS.search(reason)
        yield Told((address,), True, status[0] if status else "", reason)


def message_ids(text: str) -> list[str]:
    """Of the mail whose copy stands in the text."""
    return [match[1] for match in _MESSAGE_ID.finditer(text)]


def _is_from_a_system(fields: Mapping[str, str]) -> bool:
    sender = parseaddr(fields.get("from", ""))[1].rpartition("@")[0]
    return fields.get("return-path", "").strip() == "<>" or _SYSTEMS.fullmatch(sender) is not None


def _said_of_each(words: str) -> dict[str, str]:
    """What is said of each address, in small letters: all up to the next other one."""
    said: dict[str, str] = {}
    named, begun = "", 0
    for match in islice(_ADDRESS.finditer(words), _MOST):
        address = match[0].rstrip(".").lower()
        if address != named:
            said.setdefault(named, _cleared(words[begun : match.start()]))
            named, begun = address, match.end()
    said.setdefault(named, _cleared(words[begun:]))
    said.pop("")
    return said


def _cleared(words: str) -> str:
    return in_one_line(words.lstrip(">:. \t\r\n").rstrip().removesuffix("<"))
