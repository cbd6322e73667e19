"""Text that other people wrote, made safe where Streamlit would read Markdown, or Plotly HTML."""

import re

from billing_core.text import closed

# What CommonMark, its tables and Streamlit's own directives (:red[…], :material/…:, $math$) give a meaning to.
_SPECIAL = re.compile(
    r"""
    # Links, icons, emoji and arrows, which are made of the text that Markdown has left, so that no backslash prevents
    # them: https://…, somebody@…, www.…, :material_…:, :smile:, ->. Each needs one of these beside its neighbour.
    (?P<apart> :(?=[\w+/-]|$) | @ | (?<=www)\. | [<>~=-](?=[<>~=-]) )
    | ^= | [\\`*_{}\[\]()<>#+\-.!|$~:&]
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Not the spaces inside numbers, which do not break. Four at the beginning would be code.
_BLANKS = re.compile(r"[ \t-\r\x1c-\x1f\x85\u2028\u2029]+")


def md(text: object) -> str:
    """The text as it is, on one line: nothing in it formats, links, draws or computes, and it is copied as it was."""
    return _SPECIAL.sub(_inert, closed(_BLANKS.sub(" ", str(text))))


def untagged(text: str) -> str:
    """The text as it is, where Plotly would read a few HTML tags in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _inert(found: re.Match[str]) -> str:
    """A directive without a colour makes an element of its own of what it holds, and changes nothing else."""
    return f":color[\\{found['apart']}]" if found["apart"] else f"\\{found.group()}"
