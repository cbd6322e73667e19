"""What other people wrote is shown as they wrote it."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui.tables import _icon_and_text
from pages.ui.text import md, untagged
from tests.pages.as_read import as_read

# What Streamlit's frontend makes of the text that Markdown has left, piece by piece: mdast-util-gfm-autolink-literal,
# remark-emoji, and its own icons, logo and arrows, as its JavaScript has them.
MADE_AFTERWARDS = [
    re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE),
    re.compile(r"[-.\w+]+@[-\w]+(?:\.[-\w]+)+"),
    re.compile(r":material_(\w+):"),
    re.compile(r":streamlit:"),
    re.compile(r":\+1:|:-1:|:[\w-]+:"),
    re.compile(r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)"),
]
# What separates one piece of text from the next one.
ELEMENT = re.compile(r":color\[(?:\\(.))?\]")
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")

PAGES = Path(__file__).parents[3] / "pages"

HOSTILE = [
    "see www.evil.example, WWW.Evil.Example/a?b=c",
    "https://evil.example and http://evil.example:8080/x",
    "ap@acme.example, mailto:a@b.example",
    ":material/delete: and :material_delete:",
    ":streamlit: :smile: :+1: :-1: :100:",
    "a -> b <- c <-> d -- e >= f <= g ~= h",
    "@-- www.-> x:--",
    "**bold** _it_ ~~gone~~ `code` [x](https://evil.example) ![x](https://evil.example/p.png)",
    "<b>x</b> <https://evil.example> :red[x] $x^2$ $$y$$ [^1] &amp; | a |",
    "# heading",
    "1. one",
    "===",
    "ends with a colon:",
    "ends with a backslash\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_text_is_a_link_an_icon_or_an_arrow(text):
    assert made_of(md(text)) == []
    assert as_read(md(text)) == text


@given(st.lists(st.sampled_from([*"@:/.-<>=~\\[]$* ", "www", "http", "material", "_", "a", "smile"])).map("".join))
def test_however_the_pieces_are_put_together(text):
    assert made_of(md(text)) == []
    assert as_read(md(text)) == re.sub(" +", " ", text)


@pytest.mark.parametrize("text", [":smile", ":material_delete", "https", "ap", "www"])
def test_our_own_words_after_it_do_not_complete_what_a_text_begins(text):
    assert made_of(f"{md(text)}: 3") == []


def test_a_text_has_one_line_and_no_indentation_of_which_markdown_would_make_code():
    assert md("    Acme \r\n\t Berlin\u2028GmbH") == " Acme Berlin GmbH"
    assert md("1\N{NO-BREAK SPACE}450") == "1\N{NO-BREAK SPACE}450"


@pytest.mark.parametrize(
    "text", ["אבג", "الشركة (ש.מ.)", "Acme \u202eCorp\u202c", "\u200fAcme", "שלום: ap@acme.example"]
)
def test_a_text_from_right_to_left_is_an_element_of_its_own(text):
    assert re.fullmatch(r":color\[(?:[^\[\]\\]|\\.|:color\[\\.\])*\]", md(text))
    assert as_read(md(text)) == text


def test_it_is_none_where_it_would_be_too_long_for_one():
    assert md("אבג" * 331) == f":color[{'אבג' * 331}]"
    assert md("אבג" * 334) == "אבג" * 334


def test_a_text_leaves_no_direction_open():
    assert as_read(md("Acme \u202e")) == "Acme \u202e\u202c"


def test_a_name_on_a_chart_brings_no_tag():
    assert untagged('<b>A & B</b> <a href="x">') == '&lt;b&gt;A &amp; B&lt;/b&gt; &lt;a href="x"&gt;'


@pytest.mark.parametrize(
    ("shown", "icon", "text"),
    [
        (":material/open_in_new: Acme", ":material/open_in_new:", "Acme"),
        (":material/open_in_new: Acme: Berlin", ":material/open_in_new:", "Acme: Berlin"),
        (":material/open_in_new: :material/delete: x", ":material/open_in_new:", ":material/delete: x"),
        ("Change", None, "Change"),
    ],
)
def test_a_buttons_icon_is_ours_whatever_the_name_behind_it(shown, icon, text):
    assert _icon_and_text(shown) == (icon, text)


def test_what_is_shown_as_it_is_anyway_does_not_pass_through_it():
    """Short messages do so themselves, and a badge shows its text's backslashes."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PAGES.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    twice = [
        ast.unparse(call)
        for call in calls
        if ast.unparse(call.func).split(".")[-1] in ("badge", "say", "attempt")
        if any(isinstance(node, ast.Name) and node.id == "md" for one in call.args for node in ast.walk(one))
    ]
    assert twice == []


def made_of(markdown: str) -> list[str]:
    """What the frontend would make of each piece of text for itself."""
    pieces = [ESCAPED.sub(r"\1", piece or "") for piece in ELEMENT.split(markdown)]
    return [found.group() for piece in pieces for made in MADE_AFTERWARDS for found in made.finditer(piece)]
