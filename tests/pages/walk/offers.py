"""What somebody can do with the page that a window shows: every widget, and the ways to use it."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import Any

import pandas as pd
from PIL import Image
from streamlit import dataframe_util
from streamlit.proto.Common_pb2 import StringArray, StringTriggerValue
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import element_tree as elements

from billing_core.dates import utc_now
from tests.pages.walk.window import Origin, Recorder, Window, identity_of

# What tells one row's button from the next one's, or a random token of a dropped file.
_NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+")
_FIELDS = (
    elements.Checkbox,
    elements.DateInput,
    elements.Multiselect,
    elements.NumberInput,
    elements.Selectbox,
    elements.TextArea,
    elements.TextInput,
)
# Says whether the widget was used: a button can stay disabled whatever its fields are filled with.
Use = Callable[[Window], bool]


@dataclass(frozen=True, slots=True)
class Target:
    """A widget, so that the next run's is known again, whatever its id is then. ``place``: which of those alike."""

    origin: Origin
    kind: str
    name: str
    place: int

    @property
    def alike(self) -> tuple[Origin, str, str]:
        """What the buttons of several rows have in common."""
        return self.origin, self.kind, self.name

    def __str__(self) -> str:
        file, _, line = self.origin[-1] if self.origin else ("?", 0, 0)
        return f"{self.kind} “{self.name}” ({file}:{line})"


@dataclass(frozen=True)
class Offer:
    """A widget of the page as it is drawn now, among all that are ``drawn`` with it."""

    target: Target
    identity: str
    node: Any
    fragment: str
    how: "Thoroughness"
    drawn: "list[Offer]"

    @cached_property
    def uses(self) -> dict[str, Use | None]:
        """The ways to use it, by their names; None for one that would leave all as it is."""
        return dict(_uses(self))

    @property
    def form(self) -> str:
        return getattr(self.node.proto, "form_id", "")

    @property
    def disabled(self) -> bool:
        return bool(getattr(self.node.proto, "disabled", False))


@dataclass(frozen=True, slots=True)
class Thoroughness:
    """How many of many options or rows are tried, and with what fields are filled."""

    options: int
    rows: int
    fillings: tuple[str, ...]
    columns: bool


THOROUGH = Thoroughness(
    options=3, rows=6, fillings=("something", "something hostile", "nothing", "a negative number"), columns=True
)
BRIEF = Thoroughness(options=1, rows=2, fillings=("something",), columns=False)


def offers(window: Window, recorder: Recorder, how: Thoroughness) -> list[Offer]:
    """All that can be used: in a dialog alone where one is open, because it covers the page."""
    fragments = window.fragments()
    alike: Counter[tuple[Origin, str, str]] = Counter()
    drawn: list[Offer] = []
    for node in _open_dialog(window) or window.page:
        kind, proto = _kind_and_proto(node)
        if proto is not None and (identity := identity_of(kind, proto)):
            name = _NUMBERS.sub("#", str(getattr(node, "key", None) or getattr(node, "label", "")))
            origin = recorder.origins.get(identity, ())
            alike[origin, kind, name] += 1
            target = Target(origin, kind, name, alike[origin, kind, name])
            drawn.append(Offer(target, identity, node, fragments.get(identity, ""), how, drawn))
    return drawn


def _open_dialog(window: Window) -> Any:
    blocks = (node for node in window.page if isinstance(node, elements.Block))
    return next((block for block in blocks if _kind_and_proto(block)[0] == "dialog"), None)


def _kind_and_proto(node: Any) -> tuple[str, Any]:
    """Of a container its own kind; AppTest gives some of them their inner proto, and some the whole block's."""
    proto = getattr(node, "proto", None)
    if isinstance(node, elements.Block) and proto is not None and proto.DESCRIPTOR.name == "Block":
        kind = proto.WhichOneof("type") or ""
        return kind, getattr(proto, kind) if kind else None
    return str(getattr(node, "type", "")), proto


def _uses(offer: Offer) -> Iterator[tuple[str, Use | None]]:
    node, kind, how = offer.node, offer.target.kind, offer.how
    if kind in ("button", "download_button"):
        yield from _presses(offer)
    elif offer.disabled or offer.form:
        # A form's fields come in with its button.
        return
    elif kind == "menu_button":
        for place, option in enumerate(node.options):
            yield f"choose {_NUMBERS.sub('#', option)}", _set(offer, lambda place=place: node.click_index(place))
    elif kind in ("checkbox", "toggle"):
        yield "flip", _set(offer, lambda: node.set_value(not node.value))
    elif kind == "button_group":
        for option in node.options[: 2 * how.options]:
            choose = _send(offer, string_array_value=StringArray(data=[option]))
            yield f"choose {_NUMBERS.sub('#', option)}", _unless(list(node.formatted_values) == [option], choose)
    elif kind in ("selectbox", "radio"):
        for name, place in _options(node, how.options):
            choose = _send(offer, string_value=node.options[place])
            yield f"choose {name} option", _unless(place == node.index, choose)
    elif kind == "multiselect" and node.options:
        first = node.options[:1]
        choose = _send(offer, string_array_value=StringArray(data=first))
        yield "choose the first", _unless(node.indices == [0], choose)
    elif kind in ("text_input", "text_area"):
        for words in how.fillings[:2]:
            text = _FILLINGS[words](node)
            fill = _set(offer, lambda text=text: node.set_value(text))
            yield f"type {words}", _unless(text == (node.value or ""), fill)
    elif kind == "date_input":
        yield "set", _unless(_days(node) == node.value, _set(offer, lambda: node.set_value(_days(node))))
    elif kind == "pagination":
        yield "turn the page", _unless(node.value == 2, _set(offer, lambda: node.set_value(2)))
    elif kind == "file_uploader":
        for name in _FILES:
            if not node.allowed_type or any(name.endswith(ending) for ending in node.allowed_type):
                yield f"drop {name}", _set(offer, lambda name=name: node.upload(name, _FILES[name]))
    elif kind == "dataframe" and node.proto.editing_mode:
        yield "type into the first row", _send(offer, string_value=json.dumps(_edits(node)))
    elif kind == "dataframe":
        yield from _clicks(offer)
    elif kind == "plotly_chart":
        selection = {"points": [{"curve_number": 0, "point_index": 0}], "point_indices": [0]}
        yield "click the first bar", _send(offer, string_value=json.dumps({"selection": selection}))
    elif kind == "page_link":
        yield "follow", lambda window: window.follow(node.proto.page, node.proto.query_string)
    elif kind == "tab_container":
        for tab in node.children.values():
            yield f"open {tab.label}", _send(offer, string_value=tab.label)
    elif kind in ("popover", "expandable"):
        yield "open", _send(offer, bool_value=True)


def _set(offer: Offer, change: Callable[[], object]) -> Use:
    def use(window: Window) -> bool:
        change()
        window.send(fragment=offer.fragment)
        return True

    return use


def _send(offer: Offer, **value: Any) -> Use:
    def use(window: Window) -> bool:
        window.send(WidgetState(id=offer.identity, **value), fragment=offer.fragment)
        return True

    return use


def _options(node: Any, most: int) -> Iterator[tuple[str, int]]:
    """Places of options, by names that hold for however many there are: of one alone it is one that is not chosen."""
    last = len(node.options) - 1
    named = {"the last": last, "the first": 0, "a middle": last // 2}
    places = {place: name for name, place in named.items() if node.options}
    for place in sorted(places, key=lambda place: place == node.index)[:most]:
        yield places[place], place


def _unless(so: bool, use: Use) -> Use | None:
    return None if so else use


def _presses(offer: Offer) -> Iterator[tuple[str, Use]]:
    button = offer.node
    if not offer.disabled:
        yield "press", _set(offer, button.click if offer.target.kind == "button" else lambda: button.set_value(True))
    fields = (other for other in offer.drawn if isinstance(other.node, _FIELDS) and not other.disabled)
    own_fields = [other for other in fields if _belongs_to(offer, other)]
    if own_fields:
        texts = [other.node for other in own_fields if isinstance(other.node, elements.TextInput | elements.TextArea)]
        # Other fields are filled alike whatever the words are, and only while they are empty.
        done = []
        if not offer.disabled and not any(_is_empty(other.node) for other in own_fields):
            done.append([node.value or "" for node in texts])
        for words in offer.how.fillings:
            typed = [_FILLINGS[words](node) for node in texts]
            yield f"fill with {words} and press", _unless(typed in done, _filled(offer, own_fields, words))
            done.append(typed)


def _filled(offer: Offer, fields: list[Offer], words: str) -> Use:
    """Fill all the fields of a button and press it. Outside of a form they come in before, one run earlier."""

    def use(window: Window) -> bool:
        for other in fields:
            _fill(other.node, words)
        button = offer.node
        if not offer.form:
            window.send(fragment=offer.fragment)
            button = next((drawn for drawn in window.page.button if drawn.id == offer.identity), None)
        if button is None or button.proto.disabled:
            return False
        button.click()
        window.send(fragment=offer.fragment)
        return True

    return use


def _belongs_to(button: Offer, other: Offer) -> bool:
    """A field of the same form or dialog; else one that the button's own function drew, or had drawn."""
    if button.form or other.form:
        return button.form == other.form
    if button.fragment or other.fragment:
        return button.fragment == other.fragment
    file, function, _ = button.target.origin[-1]
    if function <= 1:
        return other.target.origin[-1][:2] == (file, function)
    return (file, function) in {line[:2] for line in other.target.origin}


def _fill(node: Any, words: str) -> None:
    """Text as the words say; of all else only what is still empty."""
    if isinstance(node, elements.TextInput | elements.TextArea):
        node.set_value(_FILLINGS[words](node))
    elif not _is_empty(node):
        return
    elif isinstance(node, elements.Selectbox):
        node.select_index(0)
    elif isinstance(node, elements.DateInput):
        node.set_value(_days(node))
    elif isinstance(node, elements.Checkbox):
        node.check()
    elif isinstance(node, elements.Multiselect):
        node.select(node.options[0])


def _is_empty(node: Any) -> bool:
    """Whether there is something to fill in, other than text."""
    if isinstance(node, elements.Selectbox):
        return node.value is None and bool(node.options)
    if isinstance(node, elements.DateInput):
        return node.value in (None, ())
    if isinstance(node, elements.Checkbox):
        return not node.value
    return isinstance(node, elements.Multiselect) and not node.value and bool(node.options)


def _days(node: Any) -> Any:
    yesterday = utc_now().date() - timedelta(days=1)
    return (yesterday, yesterday) if node.proto.is_range else yesterday


def _something(node: Any) -> str:
    """What is there already, or what the field's label asks for: an amount is a text and a name, too."""
    label, example = node.label.casefold(), node.proto.placeholder.casefold()
    if "mail" in label or label in ("to", "cc", "bcc") or "@" in example:
        return node.value or "somebody@example.com"
    if "http" in label or "http" in example:
        return node.value or "https://example.com/hook"
    return node.value or "12.00"


def _something_hostile(node: Any) -> str:
    return ("=1+1 Ω*[x](y)$ :red[<b>] " * 200)[: node.proto.max_chars or 4_000]


def _picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "navy").save(content, "PNG")
    return content.getvalue()


_FILLINGS: dict[str, Callable[[Any], str]] = {
    "something": _something,
    "something hostile": _something_hostile,
    "nothing": lambda _: "",
    "a negative number": lambda _: "-7",
}
# A table to take in, and what is none at all.
_FILES = {
    "customers.csv": b"ref,name,currency\nNEW,New customer,EUR\n",
    "broken.csv": b"\x00\xff\xfe",
    "logo.png": _picture(),
}


def _edits(node: Any) -> dict[str, Any]:
    """The grid's own words for text typed into each column that takes text, of its first line or of an added one."""
    row = dict.fromkeys(node.value.select_dtypes(include=["object", "string"]).columns, "12.00")
    if node.value.empty:
        return {"edited_rows": {}, "added_rows": [row], "deleted_rows": []}
    return {"edited_rows": {"0": row}, "added_rows": [], "deleted_rows": []}


def _clicks(offer: Offer) -> Iterator[tuple[str, Use]]:
    """A row of each look, a cell of each column, a column's head."""
    how = offer.how
    modes, kinds = set(offer.node.proto.selection_mode), offer.node.proto.SelectionMode
    buttons = dict(offer.node.proto.button_click_widgets)
    if not modes and not buttons:
        return
    table, rows = _read(offer.node.proto.arrow_data.data)

    def click(**selection: Any) -> Use:
        whole = {"rows": [], "columns": [], "cells": [], **selection}
        return _send(offer, string_value=json.dumps({"selection": whole}))

    looks = list(rows.items())[: how.rows]
    for column, identity in buttons.items():
        for look, place in looks:
            if isinstance(label := table.at[table.index[place], column], str) and label:
                pressed = StringTriggerValue(data=json.dumps({"row": place, "label": label}))
                press = replace(offer, identity=identity)
                yield f"press {column} of a row like {look}", _send(press, string_trigger_value=pressed)
    if kinds.SINGLE_CELL in modes:
        for look, place in looks:
            yield f"click a row like {look}", click(cells=[[place, table.columns[0]]])
        for column in table.columns[1:] if rows and how.columns else ():
            yield f"click a cell of {column}", click(cells=[[0, column]])
    if kinds.SINGLE_COLUMN in modes:
        yield "sort", click(columns=[table.columns[0]])
    if kinds.SINGLE_ROW in modes:
        for look, place in looks:
            yield f"tick the row like {look}", click(rows=[place])
    if kinds.MULTI_ROW in modes and rows:
        yield "tick all", click(rows=list(range(len(table))))
        for look, place in looks:
            yield f"tick a row like {look}", click(rows=[place])


@lru_cache(maxsize=200)
def _read(arrow: bytes) -> tuple[pd.DataFrame, dict[tuple[Any, ...], int]]:
    """A table, and of each look that its rows have the place of the first. The same ones are drawn again and again."""
    table = dataframe_util.convert_arrow_bytes_to_pandas_df(arrow)
    rows: dict[tuple[Any, ...], int] = {}
    for place, row in enumerate(table.itertuples(index=False, name=None)):
        rows.setdefault(tuple(map(_look, row)), place)
    return table, rows


def _look(value: Any) -> Any:
    """Badges by their words; anything else by whether there is something."""
    if hasattr(value, "__len__") and not isinstance(value, str):
        return " ".join(map(str, value))
    return "" if value in (None, "", "—") or value != value else "…"
