"""E-mail addresses: which ones we accept, and how mail servers know them. They are kept and shown as typed."""

import re
import unicodedata
from typing import Final

import idna

# Of an address on the wire, and of what stands in it before the @ (RFC 5321), in bytes.
LONGEST: Final = 254
LONGEST_LOCAL: Final = 64
_LONGEST_DOMAIN: Final = 253

_NO_ADDRESS: Final = "is not an e-mail address such as ana@example.com"
# Letters beyond ASCII are those of RFC 6531; that they are printable is asked of the whole address.
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\x80-\U0010ffff]+"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])+"')
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def is_email_address(text: str) -> bool:
    """Whether it has the form of an address that we accept; only a mail could show whether it exists."""
    return not address_fault(text)


def address_fault(text: str) -> str:
    """Why this is no address, to follow the name of its field; empty where it is one."""
    local, at, domain = text.rpartition("@")
    if not (at and local and text.isprintable() and (_PLAIN.fullmatch(local) or _QUOTED.fullmatch(local))):
        return _NO_ADDRESS
    if not domain or any(character in domain for character in ' <>",;:\\()[]'):
        return _NO_ADDRESS
    on_wire = _domain(domain)
    if on_wire is None:
        return f"is not an e-mail address: there can be no domain “{domain[:100]}”"
    before = len(_local(local).encode())
    if before > LONGEST_LOCAL:
        return f"is not an e-mail address: before the @ it has more than {LONGEST_LOCAL} characters"
    if before + 1 + len(on_wire) > LONGEST or len(text) > LONGEST:
        return f"is not an e-mail address: it has more than {LONGEST} characters"
    return ""


def on_the_wire(address: str) -> str:
    """As mail servers know it, its domain by IDNA 2008: ``ap@straße.example`` is ``ap@xn--strae-oqa.example``.

    What stands before the @ stays, also where only a server with SMTPUTF8 takes it; so does what is no address.
    """
    local, _, domain = address.rpartition("@")
    on_wire = _domain(domain)
    return address if on_wire is None else f"{_local(local)}@{on_wire}"


def mailbox(address: str) -> tuple[str, str]:
    """What stands before the @, without quotes, and the domain on the wire, as headers are made of them."""
    local, _, domain = on_the_wire(address).rpartition("@")
    if _QUOTED.fullmatch(local):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return local, domain


def _local(text: str) -> str:
    """In one spelling, since a letter with its accent may be one character or two (RFC 6532)."""
    return unicodedata.normalize("NFC", text)


def _domain(text: str) -> str | None:
    """As the DNS has it; None where it can have no such domain."""
    try:
        plain = text.isascii() and "xn--" not in text.lower()
        # Capital letters and the like count as in addresses of web sites (UTS 46), ß and ς as themselves.
        on_wire = text if plain else idna.encode(text, uts46=True, std3_rules=True).decode()
    except UnicodeError:
        return None
    labels = on_wire.split(".")
    possible = len(labels) > 1 and not labels[-1].isdigit() and len(on_wire) <= _LONGEST_DOMAIN
    return on_wire if possible and all(map(_LABEL.fullmatch, labels)) else None
