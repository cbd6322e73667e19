"""Every catalogue has a translation of every message that the code and the templates use, and of no other."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po
from jinja2 import Environment, meta, nodes

from billing_core.languages.available import CATALOGUES

PROJECT = Path(__file__).parents[2]
FILES = sorted(CATALOGUES.glob("*.po"))
CALLS = {"gettext": 1, "pgettext": 2, "ngettext": 2, "gettext_noop": 1, "ngettext_noop": 2}
PUBLIC_PAGES = sorted(
    file for start in ("public_*", "pay*") for file in PROJECT.glob(f"billing_core/web/templates/{start}.html")
)
JINJA = Environment()


def key(message) -> tuple:
    return message.context, message.id


def each_form(message) -> list[tuple[str, str]]:
    """The original of each of a message's translations, and the translation."""
    if isinstance(message.id, tuple):
        singular, plural = message.id
        return [(singular if index == 0 else plural, text) for index, text in enumerate(message.string)]
    return [(message.id, message.string)]


def catalogue(file: Path) -> Catalog:
    with file.open("rb") as opened:
        return read_po(opened, abort_invalid=True)


@pytest.fixture(scope="module")
def used(tmp_path_factory) -> Catalog:
    """What Babel finds in the code and the templates; the command of ``make words``."""
    template = tmp_path_factory.mktemp("words") / "words.pot"
    command = ["pybabel", "-q", "extract", "-F", str(PROJECT / "pyproject.toml")]
    command += ["-k", "gettext_noop", "-k", "ngettext_noop:1,2", "-o", str(template), str(PROJECT)]
    assert not CommandLineInterface().run(command)
    return catalogue(template)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_message_is_translated_and_nothing_else(file, used):
    translated = catalogue(file)
    assert {key(message) for message in translated if message.id} == {key(message) for message in used if message.id}
    assert not translated.obsolete
    for message in translated:
        if message.id:
            assert not message.fuzzy, message.id
            assert all(text for _, text in each_form(message)), message.id
            assert isinstance(message.id, str) or len(message.string) == translated.num_plurals, message.id


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_translation_has_the_places_of_its_original(file):
    for message in catalogue(file):
        for original, text in each_form(message) if message.id else []:
            if "{{" in original:
                # A mail need not name everything: a German letter greets nobody by name.
                assert variables(text) <= variables(original), original
                assert text.endswith("\n") == original.endswith("\n"), original
            else:
                assert places(text) == places(original), original


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_catalogue_is_named_for_its_language_and_counts_as_that_does(file):
    known = catalogue(file)
    assert known.locale == Locale.parse(file.stem)
    assert known.plural_forms == str(get_plural(file.stem))


def test_no_message_stands_where_babel_does_not_look_for_it(used):
    """Such as in an f-string."""
    known = {text for message in used if message.id for text, _ in each_form(message)}
    found = set()
    for file in (PROJECT / "billing_core").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                texts = node.args[: CALLS.get(name, 0)][-1 if name == "pgettext" else 0 :]
                found |= {text.value for text in texts if isinstance(text, ast.Constant)}
    assert len(found) > 50
    assert found <= known


@pytest.mark.parametrize("file", PUBLIC_PAGES, ids=lambda file: file.stem)
def test_public_pages_say_nothing_that_is_not_translated(file):
    # The one block whose text stands within a tag, in the page that this one extends.
    source = re.sub("{% block referrer %}.*?{% endblock %}", "", file.read_text(encoding="utf-8"))
    parsed = JINJA.parse(source)
    written = "".join(node.data for node in parsed.find_all(nodes.TemplateData))
    assert re.findall(r"\w+", re.sub(r"<[^>]*>", " ", written)) == []


def places(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text)} - {None}


def variables(template: str) -> set[str]:
    return meta.find_undeclared_variables(JINJA.parse(template))
