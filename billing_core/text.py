"""What a text may hold."""

import re

from billing_core.errors import Invalid

LONGEST_REASON = 500

# No database column may hold NUL, and half a surrogate pair is no character; the rest never belongs in a text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def control_character(text: str) -> str | None:
    """The first character that no text may hold, as people write it (``U+0000``); None where all is well."""
    if text.isprintable():
        return None
    found = _UNPRINTABLE.search(text)
    return f"U+{ord(found.group()):04X}" if found else None


def reason_of(text: str) -> str:
    """Why somebody did something, as it is kept; Invalid where they did not say, or said it in unkeepable signs."""
    kept = " ".join(text.split())
    if not kept or len(kept) > LONGEST_REASON or control_character(kept):
        needed = f"is needed, in at most {LONGEST_REASON} characters"
        raise Invalid(f"Say why, in at most {LONGEST_REASON} characters", fields={"reason": needed})
    return kept
