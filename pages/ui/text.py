"""Text that other people wrote, made safe where Streamlit would read Markdown, or Plotly or a browser HTML."""

import re
from base64 import b64encode

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

# Letters and marks by which a browser writes what stands beside them from right to left, too: "12.50 ,<name> USD".
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
# A longer text is no element for Streamlit's Markdown.
_LONGEST_ELEMENT = 999
# To be drawn once on each page: texts from right to left, which are such elements, keep their direction to themselves.
# Within them the elements of ``_inert`` have none of their own, or 12:30 would read 30:12 there.
OWN_DIRECTIONS = """<style>
span:not([class], [style]) { unicode-bidi: plaintext; }
span:not([class], [style]) span:not([class], [style]) { unicode-bidi: normal; }
</style>"""


def md(text: object) -> str:
    """The text as it is, on one line: nothing in it formats, links, draws or computes, and it is copied as it was."""
    line = closed(_BLANKS.sub(" ", str(text)))
    inert = _SPECIAL.sub(_inert, line)
    return f":color[{inert}]" if _RIGHT_TO_LEFT.search(line) and len(inert) <= _LONGEST_ELEMENT else inert


def untagged(text: str) -> str:
    """The text as it is, where Plotly would read a few HTML tags in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mail_frame(html: str) -> str:
    """The address of an iframe with a mail, which loads nothing, runs nothing, and as data has no way into the page."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
    guarded = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{html}'
    return f"data:text/html;charset=utf-8;base64,{b64encode(guarded.encode()).decode()}"


def _inert(found: re.Match[str]) -> str:
    """A directive without a colour makes an element of its own of what it holds, and changes nothing else."""
    return f":color[\\{found['apart']}]" if found["apart"] else f"\\{found.group()}"
