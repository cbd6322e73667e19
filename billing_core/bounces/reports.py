"""What a mail from a mail server says of one of ours: a delivery status notification (RFC 3464, 6533), or its like.

Anybody may have written it. So only so much of it is read, nothing in it is believed but which of our mails and whose
address it names, and its words are one line of characters that can be printed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from email.policy import Compat32
from typing import Final

from billing_core.bounces import older_forms
from billing_core.bounces.wording import ADDRESS_LENGTH, Told, in_one_line

# The report stands before the mail that it returns, which may be as long as it likes.
MOST_BYTES: Final = 256 * 1024
# Of a header line, of the receivers of a report, and of the parts that may lie within each other.
_LONGEST_HEADER: Final = 2_000
_MOST_TOLD: Final = 100
_MOST_BOUNDARIES: Final = 20
_DEEPEST: Final = 3
# What stands before the @ in the Message-IDs of our mails.
_OURS: Final = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{40}(?![0-9a-zA-Z])")
_MOST_NAMES: Final = 10
_STATUS: Final = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_STATUS_PARTS: Final = ("message/delivery-status", "message/global-delivery-status")
_RETURNED: Final = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
_EMPTY_LINES: Final = re.compile(rb"\r?\n[ \t]*\r?\n")
_ESCAPED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


@dataclass(frozen=True, slots=True)
class Report:
    """``mail_ids`` of the mails that it may be about, the likeliest first; ``told`` of receivers of one of them."""

    mail_ids: tuple[str, ...]
    told: tuple[Told, ...]


class _Short(Compat32):
    """Reads headers as they are, none longer than any that means something."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_LONGEST_HEADER]


def read(raw: bytes) -> Report | None:
    """What it reports; None where it is no report, or is made to be hard to read."""
    raw = raw[:MOST_BYTES]
    # Every line is compared with every boundary around it.
    if raw.lower().count(b"boundary") > _MOST_BOUNDARIES:
        return None
    try:
        mail = message_from_bytes(raw, policy=_Short())
        told = list(_told(mail)) or list(older_forms.told(_fields(mail), _text(mail)))
        names = _names(mail) if told else []
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError, MessageError):
        # What the standard library does with mails that are none.
        return None
    return Report(tuple(names), tuple(told[:_MOST_TOLD])) if names and told else None


def _told(mail: Message) -> Iterator[Told]:
    for part in _parts(mail):
        if part.get_content_type() in _STATUS_PARTS:
            for fields in _groups(part)[: _MOST_TOLD + 1]:
                yield from _of_receiver(fields)


def _of_receiver(fields: dict[str, str]) -> Iterator[Told]:
    """``Action`` decides: a status of 4 is final too once the server has given up. Without it the status does."""
    addresses = tuple(
        dict.fromkeys(
            address for name in ("original-recipient", "final-recipient") if (address := _address(fields.get(name, "")))
        )
    )
    found = _STATUS.search(fields.get("status", ""))
    action = fields.get("action", "").split("(")[0].strip().lower()
    if not action and found:
        action = {"5": "failed", "4": "delayed"}.get(found[1], "")
    if addresses and action in ("failed", "delayed"):
        kind, separator, words = fields.get("diagnostic-code", "").partition(";")
        yield Told(addresses, action == "failed", found[0] if found else "", in_one_line(words if separator else kind))


def _address(field: str) -> str:
    """``rfc822; <ana@acme.example>``, or of RFC 6533 ``utf-8; j\\x{F6}rg@acme.example``."""
    _, _, given = field.rpartition(";") if '"' not in field else field.partition(";")
    plain = given.strip().removeprefix("<").removesuffix(">")
    plain = _ESCAPED.sub(lambda code: chr(min(int(code[1], 16), 0x10FFFF)), plain)
    return plain if "@" in plain and plain.isprintable() and len(plain) <= ADDRESS_LENGTH else ""


def _names(mail: Message) -> list[str]:
    """Of our mails: as the server names them first, then as the returned mail does, and what the report answers to."""
    returned, envelope = [], []
    for part in _parts(mail):
        kind = part.get_content_type()
        if kind in _STATUS_PARTS:
            about = _groups(part)[0]
            envelope += [about.get("original-envelope-id", ""), about.get("x-original-message-id", "")]
        elif kind in _RETURNED:
            returned.append(_message_id(part))
    fields = _fields(mail)
    before = [fields.get("in-reply-to", ""), fields.get("references", "")]
    copied = older_forms.message_ids(_text(mail))
    found = [name for text in (*envelope, *returned, *before, *copied) for name in _OURS.findall(text)]
    return list(dict.fromkeys(found))[:_MOST_NAMES]


def _message_id(part: Message) -> str:
    """Of a returned mail, of which there may be the headers alone."""
    if inside := _inside(part):
        return _fields(inside[0]).get("message-id", "")
    return _fields(message_from_bytes(_content(part), policy=_Short())).get("message-id", "")


def _parts(mail: Message, depth: int = 0) -> Iterator[Message]:
    """Itself and its parts, not those of mails in it: a person may have forwarded somebody's report."""
    yield mail
    if mail.get_content_maintype() == "multipart" and depth < _DEEPEST:
        for part in _inside(mail):
            yield from _parts(part, depth + 1)


def _inside(part: Message) -> list[Message]:
    inside = part.get_payload()
    return [one for one in inside if isinstance(one, Message)] if isinstance(inside, list) else []


def _groups(part: Message) -> list[dict[str, str]]:
    """The groups of fields in a status: one about the mail, one about each receiver."""
    groups = [_fields(group) for group in _inside(part)[: _MOST_TOLD + 1]]
    # RFC 6533's the library takes for a mail, and the groups after the first for its text.
    for rest in map(_content, _inside(part)[:1] or [part]):
        groups += map(_fields, _split(rest))
    return [fields for fields in groups if fields] or [{}]


def _split(content: bytes) -> Iterator[Message]:
    """Groups of fields with empty lines between them."""
    for group in _EMPTY_LINES.split(content, _MOST_TOLD)[:_MOST_TOLD]:
        yield message_from_bytes(group, policy=_Short())


def _fields(part: Message) -> dict[str, str]:
    """Its headers, on a line each and the first of each name, whatever their bytes are."""
    fields: dict[str, str] = {}
    for name, value in part.raw_items():
        fields.setdefault(name.lower(), " ".join(_bytes(str(value)).decode("utf-8", "replace").split()))
    return fields


def _text(mail: Message) -> str:
    """Its first plain text, whatever it says of its letters."""
    plain: Sequence[Message] = [part for part in _parts(mail) if part.get_content_type() == "text/plain"]
    return _content(plain[0]).decode("utf-8", "replace") if plain else ""


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _bytes(text: str) -> bytes:
    """Of what the library has kept of bytes that are no ASCII."""
    return text.encode("utf-8", "surrogateescape")
