"""Text that other people wrote, made safe where Streamlit would read Markdown."""

import re

# What CommonMark, its tables and Streamlit's own directives (:red[…], :material/…:, $math$) give a meaning to.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~:&])")
_LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")


def md(text: object) -> str:
    """The text as it is, on one line: nothing in it formats, links or computes."""
    return _SPECIAL.sub(r"\\\1", _LINE_BREAKS.sub(" ", str(text)))
