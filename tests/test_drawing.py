"""The same seed draws the same, whatever else is imported."""

import importlib
import sys

import hypothesis
from hypothesis import strategies as st


def drawn() -> list[object]:
    found = []

    @hypothesis.settings(parent=hypothesis.settings.get_profile("ci"), max_examples=200)
    @hypothesis.given(st.lists(st.integers() | st.text(), max_size=5))
    def draw(values):
        found.append(values)

    draw()
    return found


def test_what_is_drawn_does_not_depend_on_what_was_imported(tmp_path, monkeypatch):
    before = drawn()
    module = "freshly_imported"
    source = "NUMBERS = " + repr([10**6 + 7 * place for place in range(500)])
    (tmp_path / f"{module}.py").write_text(f"{source}\nWORDS = {[f'word {place}' for place in range(500)]}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(module)
    try:
        assert drawn() == before
    finally:
        del sys.modules[module]
