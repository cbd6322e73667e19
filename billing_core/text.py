"""What texts may contain."""

import re

from billing_core.errors import Invalid

LONGEST_REASON = 500

# No database column may hold NUL, and half a surrogate pair is not a character; the others do not belong in a text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

# What begins a direction of writing within a text, and what ends it.
_END, _ISOLATE, _END_OF_ISOLATE = "\u202c", "\u2068", "\u2069"
_DIRECTIONS = dict.fromkeys("\u202a\u202b\u202d\u202e", _END) | dict.fromkeys("\u2066\u2067\u2068", _END_OF_ISOLATE)


def control_character(text: str) -> str | None:
    """The first character that no text may contain, written as ``U+0000``; None where there is none."""
    if text.isprintable():
        return None
    match = _UNPRINTABLE.search(text)
    return f"U+{ord(match.group()):04X}" if match else None


def is_torn(text: str) -> bool:
    """Whether half a surrogate pair is in it, which no encoding can write."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def closed(text: str) -> str:
    """The text, with what ends the directions that it leaves open, and begins those that it ends: else it would turn
    around what follows, or end what holds it.
    """
    if text.isascii():
        return text
    open_ends: list[str] = []
    begun_before = 0
    for character in text:
        if end := _DIRECTIONS.get(character):
            open_ends.append(end)
        elif character == _END_OF_ISOLATE:
            begun_before += character not in open_ends
            while open_ends and open_ends.pop() != character:
                pass
        elif open_ends[-1:] == [character]:
            open_ends.pop()
    return _ISOLATE * begun_before + text + "".join(reversed(open_ends))


def needed(text: str, field: str, longest: int) -> str:
    """A short text that must be there, trimmed; Invalid where it is missing, too long or has invalid characters."""
    word = text.strip()
    if not word or len(word) > longest:
        raise Invalid(f"The {field} must have 1 to {longest} characters", fields={field: "is empty or too long"})
    if character := control_character(word):
        raise Invalid(
            f"The {field} contains the control character {character}", fields={field: f"contains {character}"}
        )
    return word


def reference_of(text: str, longest: int) -> str:
    """A payment's reference, by which both sides find it; Invalid where it is too long or has invalid characters."""
    kept = " ".join(text.split())
    if len(kept) > longest:
        reason = f"may have at most {longest} characters"
        raise Invalid(f"The reference {reason}", fields={"reference": reason})
    if unprintable := control_character(kept):
        reason = f"has a character in it that cannot be kept ({unprintable})"
        raise Invalid(f"The reference {reason}", fields={"reference": reason})
    return kept


def reason_of(text: str) -> str:
    """The reason for an action, as it is stored; Invalid where it is missing or has invalid characters."""
    kept = " ".join(text.split())
    if not kept or len(kept) > LONGEST_REASON or control_character(kept):
        needed = f"is needed, in at most {LONGEST_REASON} characters"
        raise Invalid(f"Say why, in at most {LONGEST_REASON} characters", fields={"reason": needed})
    return kept
