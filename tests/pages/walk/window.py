"""A browser's window at the dashboard: AppTest, and what it leaves out.

AppTest runs the whole script after every click and knows no click into a table, a chart or a tab. Here a click in a
dialog or a fragment runs that one alone, as it does in a browser, and whatever has a widget's state can be clicked.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from streamlit.delta_generator import DeltaGenerator
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.testing.v1.element_tree import ElementTree, parse_tree_from_messages

from tests.pages.conftest import Visitor
from tests.pages.walk import hostile

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

    def can_be_copied(self) -> bool:
        """Whether a copy would share nothing that can be changed in place.

        What the pages keep for this window is copied, and with it what the callbacks of its widgets are called with.
        Fragments are shared: what they were called with must not be changed, or nothing that is kept.
        """
        state = self.page._session_state._state
        # What begins with $$ is Streamlit's own, which it changes by putting another in its place.
        kept = [
            # A list is what was chosen of several: nothing else holds it.
            tuple(value) if isinstance(value, list) else value
            for name, value in (*state._old_state.items(), *state._new_session_state.items())
            if not name.startswith("$$")
        ]
        return all(map(_fixed, kept)) or all(
            _fixed(value) for fragment in self.page._fragment_storage._fragments.values() for value in _told(fragment)
        )

    def show(self, other: "Window") -> None:
        """What the other shows, as if all that led there had been done here. The other stays as it is."""
        page, shown = self.page, other.page
        page._session_state = SafeSessionState(deepcopy(shown._session_state._state), lambda: None)
        object.__setattr__(page.session_state, "_state", page._session_state)
        page._fragment_storage = _copied(shown._fragment_storage)
        page._page_hash, page._finished_page_script_hash = shown._page_hash, shown._finished_page_script_hash
        page.query_params, page._registered_pages = dict(shown.query_params), dict(shown._registered_pages)
        page._cleared_form_ids = set(shown._cleared_form_ids)
        self._messages = list(other._messages)
        page._tree = parse_tree_from_messages(self._messages)
        page._tree._runner = page

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

    def texts_with_a_meaning(self) -> Iterator[str]:
        """What others wrote, where Streamlit reads it as if we had."""
        return hostile.meant(self._messages)

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


def _copied(storage: MemoryFragmentStorage) -> MemoryFragmentStorage:
    copied = MemoryFragmentStorage()
    for name, value in vars(storage).items():
        if isinstance(value, dict):
            setattr(copied, name, {key: copy(one) if isinstance(one, dict) else one for key, one in value.items()})
        elif isinstance(value, int):
            setattr(copied, name, value)
    return copied


def _told(fragment: Any) -> Iterator[Any]:
    """What a fragment or a dialog was called with."""
    cells = zip(fragment.__code__.co_freevars, fragment.__closure__ or (), strict=True)
    held = {name: cell.cell_contents for name, cell in cells}
    yield from held.get("args", ())
    yield from held.get("kwargs", {}).values()
    if inner := held.get("non_optional_func"):
        yield from _told(inner)


def _fixed(value: Any) -> bool:
    """Whether nothing of it can be changed in place."""
    if isinstance(value, tuple | frozenset):
        return all(map(_fixed, value))
    if is_dataclass(value) and not isinstance(value, type):
        return value.__dataclass_params__.frozen and all(_fixed(getattr(value, one.name)) for one in fields(value))
    return isinstance(value, str | bytes | int | float | Decimal | date | timedelta | Enum | type | None)
