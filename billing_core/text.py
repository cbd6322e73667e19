"""What a text may hold."""

import re

# No database column may hold NUL, and half a surrogate pair is no character; the rest never belongs in a text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def control_character(text: str) -> str | None:
    """The first character that no text may hold, as people write it (``U+0000``); None where all is well."""
    if text.isprintable():
        return None
    found = _UNPRINTABLE.search(text)
    return f"U+{ord(found.group()):04X}" if found else None
