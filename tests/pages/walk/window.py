"""A browser's window at the dashboard: AppTest, and what it leaves out.

AppTest runs the whole script after every click and knows no click into a table, a chart or a tab. Here a click in a
dialog or a fragment runs that one alone, as it does in a browser, and whatever has a widget's state can be clicked.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from streamlit.delta_generator import DeltaGenerator
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.testing.v1.element_tree import ElementTree, parse_tree_from_messages

from tests.pages.conftest import Visitor

PAGES = Path(__file__).parents[3] / "pages"
_BELOW_PAGES = f"{PAGES}{os.sep}"
_FRAGMENT = str(Path("streamlit", "runtime", "fragment.py"))

# The lines of the pages that led to something drawn, outermost first: (file below pages/, first line of the function,
# line).
Origin = tuple[tuple[str, int, int], ...]


class Recorder:
    """Which lines of the pages drew which widget or link, by its identity; and all functions that drew anything."""

    def __init__(self) -> None:
        self.origins: dict[str, Origin] = {}
        self.functions: set[tuple[str, int]] = set()

    def listen(self, patched: pytest.MonkeyPatch) -> None:
        enqueue, block = DeltaGenerator._enqueue, DeltaGenerator._block

        def heard_enqueue(dg: DeltaGenerator, delta_type: str, element_proto: Any, *more: Any, **named: Any) -> Any:
            self._note(identity_of(delta_type, element_proto))
            return enqueue(dg, delta_type, element_proto, *more, **named)

        def heard_block(dg: DeltaGenerator, block_proto: Any = None, *more: Any, **named: Any) -> Any:
            if block_proto is not None and (kind := block_proto.WhichOneof("type")):
                self._note(identity_of(kind, getattr(block_proto, kind)))
            return block(dg, block_proto, *more, **named)

        patched.setattr(DeltaGenerator, "_enqueue", heard_enqueue)
        patched.setattr(DeltaGenerator, "_block", heard_block)

    def _note(self, identity: str) -> None:
        origin = _origin()
        self.functions.update((file, first) for file, first, _ in origin)
        if identity:
            self.origins[identity] = origin


def identity_of(kind: str, proto: Any) -> str:
    """The id that Streamlit gave to a widget; of a link where it leads to, of a table that only has buttons one of
    theirs; of anything else nothing.
    """
    if kind == "link_button":
        return f"to {proto.url}"
    if kind == "page_link":
        return f"to {proto.page}?{proto.query_string}"
    buttons = getattr(proto, "button_click_widgets", {})
    return str(getattr(proto, "id", "") or min(buttons.values(), default=""))


def _origin() -> Origin:
    """Our lines on the stack; from a fragment on, whose callers are not there when it runs alone."""
    lines = []
    frame = sys._getframe(3)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_BELOW_PAGES):
            below = file.removeprefix(_BELOW_PAGES).replace(os.sep, "/")
            lines.append((below, frame.f_code.co_firstlineno, frame.f_lineno))
        elif lines and file.endswith(_FRAGMENT):
            break
        frame = frame.f_back
    return tuple(reversed(lines))


class Window:
    """Somebody's window; ``page`` is what it shows."""

    def __init__(self, visitor: Visitor) -> None:
        self.page: AppTest = visitor.app
        self._visitor = visitor
        self._messages: list[ForwardMsg] = []

    @property
    def file(self) -> str:
        """The page's file, below pages/."""
        shown = self.page._registered_pages.get(self.page._finished_page_script_hash)
        return _below_pages(shown) if shown else ""

    @property
    def files(self) -> list[str]:
        """Those of all pages of the menu."""
        return [_below_pages(page) for page in self.page._registered_pages.values()]

    def open(self, file: str = "", **query: str) -> None:
        with self._hearing():
            self._visitor.visit(file, **query)

    def follow(self, path: str, query_string: str) -> bool:
        """A link to one of our own pages. It always can be."""
        pages = self.page._registered_pages.values()
        target = next(page for page in pages if page["url_pathname"] == path)
        self.open(_below_pages(target), **{name: values[-1] for name, values in parse_qs(query_string).items()})
        return True

    def send(self, *states: WidgetState, fragment: str = "") -> None:
        """Run with all that was set, and with these states: the fragment alone if there is one."""
        sent = {state.id: state for state in (*self.page._tree.get_widget_states().widgets, *states)}
        with self._hearing(fragment):
            self.page._run(WidgetStates(widgets=list(sent.values())))

    def fragments(self) -> dict[str, str]:
        """The fragment that drew each widget, by the widget's id; "" for those of the page itself."""
        drawn = {}
        for message in self._messages:
            if message.HasField("delta"):
                delta = message.delta
                kind = delta.WhichOneof("type")
                drawn_now = getattr(delta, kind) if kind in ("new_element", "add_block") else None
                if drawn_now is not None and (inner := drawn_now.WhichOneof("type")):
                    drawn[identity_of(inner, getattr(drawn_now, inner))] = delta.fragment_id
        return drawn

    def clocks(self) -> set[str]:
        """The fragments that run again by themselves."""
        return {message.auto_rerun.fragment_id for message in self._messages if message.HasField("auto_rerun")}

    @contextmanager
    def _hearing(self, fragment: str = "") -> Iterator[None]:
        """Keep what comes from the script; a fragment's messages take the place of its former ones."""
        known_pages, before = self.page._registered_pages, self._messages
        begin = PagesManager.__init__

        def begin_with_menu(manager: PagesManager, *arguments: Any, **named: Any) -> None:
            begin(manager, *arguments, **named)
            if known_pages:
                manager._set_pages(known_pages)

        def parsed(messages: Sequence[ForwardMsg]) -> ElementTree:
            ends = [message.script_finished for message in messages if message.HasField("script_finished")]
            if ends[-1:] == [ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY]:
                rest = [m for m in before if not (m.HasField("delta") and m.delta.fragment_id == fragment)]
                messages = [*rest, *messages]
            self._messages = list(messages)
            return parse_tree_from_messages(self._messages)

        with pytest.MonkeyPatch.context() as patched:
            # A browser's session knows the menu before the script begins: a callback can lead to another page.
            patched.setattr(PagesManager, "__init__", begin_with_menu)
            patched.setattr(local_script_runner, "parse_tree_from_messages", parsed)
            if fragment:
                alone = partial(local_script_runner.RerunData, fragment_id=fragment)
                patched.setattr(local_script_runner, "RerunData", alone)
            yield


def _below_pages(page: Any) -> str:
    return Path(page["script_path"]).relative_to(PAGES).as_posix()
