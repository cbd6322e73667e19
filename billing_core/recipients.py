"""Who gets a mail: one or several, copies, and blind copies."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from billing_core.email_addresses import address_fault, on_the_wire
from billing_core.errors import Invalid

# Of each kind: a list of more is a newsletter.
MOST: Final = 10
# A list of so many, as it is stored.
LONGEST_LIST: Final = MOST * 256
# The columns of customers and invoices beside the first address: who gets their mails too.
LISTS: Final = ("further_emails", "cc_emails", "bcc_emails")
# Commas, semicolons and line breaks part addresses, but not within a quoted text.
_ONE: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,;\r\n])+')
_NAMED: Final = re.compile(r"[^<>]*<([^<>]*)>")


@dataclass(frozen=True, slots=True)
class Recipients:
    """Each address once, as it was typed. Those of ``bcc`` get the mail, and nobody else reads that they do."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()

    @classmethod
    def read(cls, to: str, cc: str = "", bcc: str = "") -> Self:
        """From lists as people type them, or copy them from a mail program; see ``faults``."""
        known: set[str] = set()
        lists = []
        for text in (to, cc, bcc):
            found = {on_the_wire(one).lower(): one for one in reversed(addresses(text))}
            lists.append(tuple(found[key] for key in reversed(found) if key not in known))
            known |= found.keys()
        return cls(*lists)

    @property
    def everybody(self) -> tuple[str, ...]:
        return (*self.to, *self.cc, *self.bcc)

    @property
    def faults(self) -> dict[str, str]:
        """Why it cannot be sent so, by ``to``, ``cc`` and ``bcc``."""
        lists = {"to": self.to, "cc": self.cc, "bcc": self.bcc}
        found = {name: reason for name, listed in lists.items() if (reason := list_fault(listed))}
        return found if self.to else {"to": "is needed"} | found

    @property
    def reason(self) -> str:
        """Why nothing can be sent to them; empty where it can."""
        return "there is no e-mail address" if not self.to else next(iter(self.faults.values()), "")

    def checked(self) -> Self:
        """Themselves; Invalid names what is wrong with which list."""
        if self.reason:
            raise Invalid(f"Nothing can be mailed: {self.reason}", fields=self.faults)
        return self

    def in_words(self) -> str:
        """For people of ours alone, who may know of blind copies."""
        parts = [in_a_list(self.to)]
        parts += [f"copy to {in_a_list(self.cc)}"] if self.cc else []
        parts += [f"blind copy to {in_a_list(self.bcc)}"] if self.bcc else []
        return ", ".join(parts)


def split(text: str) -> tuple[str, str]:
    """The first address of a list, which is stored for itself, and the list of the others."""
    first, *others = addresses(text) or [""]
    return first, in_a_list(others)


def kept(first: str, lists: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """``lists``, of ``LISTS`` or some of them, as they are stored beside the first address, and what is wrong with
    which of them.
    """
    further, cc, bcc = (lists.get(name, "") for name in LISTS)
    read = Recipients.read(in_a_list((first, further)), cc, bcc)
    stored = dict(zip(LISTS, (read.to[1:] if first else read.to, read.cc, read.bcc), strict=True))
    faults = {name: fault for name in lists if (fault := list_fault(stored[name], most=MOST - (name == LISTS[0])))}
    if stored[LISTS[0]] and not first:
        faults[LISTS[0]] = "are there without a first address"
    return {name: in_a_list(stored[name]) for name in lists}, faults


def addresses(text: str) -> list[str]:
    """The addresses of a list in their order. A name before an address in angle brackets is left out."""
    parts = [part.strip() for part in _ONE.findall(text)]
    named = [(part, _NAMED.fullmatch(part)) for part in parts if part]
    return [found[1].strip() if found else part for part, found in named]


def list_fault(listed: Sequence[str], *, most: int = MOST) -> str:
    """Why this is no list of addresses, to follow the name of its field; empty where it is one, or has none."""
    if len(listed) > most:
        return f"are {len(listed)} addresses: at most {most} may be in a list"
    for one in listed:
        if fault := address_fault(one):
            return f"“{one[:100]}” {fault}"
    return ""


def in_a_list(listed: Sequence[str]) -> str:
    """As a list is stored and shown."""
    return ", ".join(filter(None, listed))
