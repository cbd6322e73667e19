"""What a page's Markdown reads like."""

import re

_ELEMENT = re.compile(r":color\[((?:[^\[\]\\]|\\.)*)\]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def as_read(markdown: str) -> str:
    """Without what ``md`` put around a text and its characters; what is our own Markdown stays."""
    for _ in ("the inner elements", "those around a whole text"):
        markdown = _ELEMENT.sub(r"\1", markdown)
    return _ESCAPED.sub(r"\1", markdown)
