"""What a page's Markdown reads like."""

import re

_ESCAPED = re.compile(r":color\[\\(.)\]|\\([!-/:-@\[-`{-~])")


def as_read(markdown: str) -> str:
    """Without what ``md`` put around the characters of a text; what is our own Markdown stays."""
    return _ESCAPED.sub(lambda found: found[1] or found[2], markdown)
