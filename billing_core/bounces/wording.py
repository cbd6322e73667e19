"""What was told of a receiver, in words that can be shown anywhere."""

from dataclasses import dataclass
from typing import Final

ADDRESS_LENGTH: Final = 320
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Told:
    """``addresses`` by which the receiver is named: as the sender wrote it, and as the server knows it. ``final``: the
    mail will not come; otherwise it is late. ``status`` such as 5.1.1, ``reason`` in the server's words; either may be
    empty.
    """

    addresses: tuple[str, ...]
    final: bool
    status: str
    reason: str


def in_one_line(text: str) -> str:
    """As many of somebody's words as are worth reading, of characters that can be printed."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 4 * _LONGEST])
    return " ".join(printable.split())[:_LONGEST]
