"""What the sources of the pages declare: every button, link and dialog, by where it is written."""

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from tests.pages.walk.window import PAGES

BUTTONS = {"button", "form_submit_button", "download_button", "menu_button"}
LINKS = {"link_button", "page_link"}


@dataclass(frozen=True, slots=True, order=True)
class Declared:
    """``file`` is below pages/; ``text`` is enough of the source to find it again."""

    file: str
    first: int
    last: int
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"

    def is_at(self, places: Iterable[tuple[str, int]]) -> bool:
        """Whether one of these lines is this one's: (file, line)."""
        return any(file == self.file and self.first <= line <= self.last for file, line in places)


def widgets(names: Collection[str]) -> list[Declared]:
    """Every call of one of these names that draws a widget."""
    return sorted(
        _declared(file, source, node, node.func.attr)
        for file, source, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and not (isinstance(node.func.value, ast.Name) and node.func.value.id in _our_modules(tree))
    )


def dialogs() -> list[Declared]:
    """Every dialog, by its decorator's line, where Python says that the function begins."""
    found = []
    for file, source, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    called = decorator.func if isinstance(decorator, ast.Call) else decorator
                    if isinstance(called, ast.Attribute) and called.attr == "dialog":
                        found.append(_declared(file, source, decorator, called.attr))
    return sorted(found)


def _our_modules(tree: ast.Module) -> set[str]:
    """What a page has imported of ours: ``reminders.button(…)`` draws nothing itself."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module)
    return {alias.asname or alias.name for node in imports if "pages" in node.module.split(".") for alias in node.names}


def _declared(file: str, source: str, node: ast.expr, name: str) -> Declared:
    text = " ".join((ast.get_source_segment(source, node) or "").split())
    return Declared(file, node.lineno, node.end_lineno or node.lineno, name, text[:200])


def _sources() -> Iterator[tuple[str, str, ast.Module]]:
    for path in sorted(PAGES.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        yield path.relative_to(PAGES).as_posix(), source, ast.parse(source)
