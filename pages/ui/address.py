"""What the address asks for: the one way in which pages read it.

A value that means nothing here, such as a status that there is not, is told at its place, and nothing is shown instead
of what was asked for. A list that showed everything would be taken for what the link promised.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Never

import streamlit as st
from streamlit.errors import StreamlitAPIException

from billing_core.text import control_character
from pages.ui import formats
from pages.ui.text import md

LONGEST = 200
_PAGE, _KNOWN, _SEEN = "address_page", "address_parameters", "address_seen"
_DOUBTS, _HERE = "address_doubts", "address_doubts_here"
# As many choices are named in a sentence.
_NAMED = 8
_UNSEEN = object()


@dataclass(frozen=True, slots=True)
class _Doubt:
    """That the value of a parameter means nothing, in a sentence. ``held`` is what its widget shows meanwhile: the
    doubt ends when somebody chooses something else. The parameter itself is mostly gone by then: Streamlit takes out of
    the address what a widget does not understand. ``default`` is what the widget holds without it.
    """

    sentence: str
    default: object
    held: object = _UNSEEN


def begin(page: str, known: Iterable[str]) -> None:
    """Before a page is drawn: forget the doubts of another, and stop where the address has what this page never reads.

    ``known``: all that any part of this page reads.
    """
    if st.session_state.get(_PAGE) != page:
        st.session_state.update({_PAGE: page, _SEEN: {}, _DOUBTS: {}})
    st.session_state.update({_HERE: {}, _KNOWN: tuple(known)})
    if unknown := [name for name in st.query_params if not knows(name)]:
        asked = ", ".join(f"{quoted(name)} = {quoted(st.query_params[name])}" for name in unknown)
        _say([f"This page knows nothing called {md(asked)}."], unknown)


def everything() -> list[tuple[str, str]]:
    return [(name, word) for name in st.query_params for word in words(name)]


def words(parameter: str) -> tuple[str, ...]:
    """What the address says of a parameter; nothing where it is empty."""
    if not knows(parameter):
        raise LookupError(f"{parameter} is read, and is none of the parameters of {st.session_state[_PAGE]}")
    return tuple(word for word in st.query_params.get_all(parameter) if word)


def word(parameter: str) -> str:
    """The same as it stands there, unread."""
    found: str = st.query_params.get(parameter, "")
    return found


def one(parameter: str, noun: str) -> str:
    """The word by which the address names one thing, "" where it names none; the script stops at what names nothing."""
    given = words(parameter)
    if not given:
        return ""
    try:
        return text(given)
    except ValueError as reason:
        missing(parameter, noun, str(reason))


def missing(parameter: str, noun: str, reason: str = "") -> Never:
    """Say that the address names a thing that there is not, or why it names none, offer the way back, and stop."""
    told = formats.sentence(reason) if reason else f"There is no {noun} {quoted(word(parameter))}"
    st.error(f"{md(told)}.", icon=":material/error:")
    _offer([parameter])
    st.stop()


def read(
    key: str, label: str, reading: Callable[[tuple[str, ...]], Any], default: object, *, sets: bool = False
) -> None:
    """Before the widget of this key is drawn: make sure that it understands what the address says.

    ``reading`` makes of the words what the widget holds, or says by a ValueError why it cannot. ``sets``: it knows more
    words than the widget, which takes what stands in the session where it understands none.
    """
    seen, given = st.session_state.setdefault(_SEEN, {}), words(key)
    if given and given != seen.get(key):
        settle(key)
        try:
            value = reading(given)
        except ValueError as reason:
            doubt(key, label, str(reason), default)
        else:
            if sets:
                st.session_state.setdefault(key, value)
    seen[key] = given
    _look_again(key)


def unread(key: str, label: str, reason: str) -> None:
    """Whoever comes to the page by an address that has this is told that it counts for nothing."""
    first_look = key not in st.session_state.setdefault(_SEEN, {})
    st.session_state[_SEEN].setdefault(key, words(key))
    if words(key) and first_look:
        doubt(key, label, reason, None)
    _look_again(key)


def looked_at(key: str) -> None:
    """What the address has said so far counts no more."""
    settle(key)
    st.session_state.setdefault(_SEEN, {})[key] = words(key)


def doubt(key: str, label: str, reason: str, default: object) -> None:
    """From now on, until something else is chosen: what was asked for means nothing."""
    _doubts()[key] = _Doubt(f"{md(label)}: {md(formats.with_days(reason))}.", default)
    _look_again(key)


def settle(key: str) -> None:
    _doubts().pop(key, None)


def refuse(key: str, sentence: str) -> None:
    """For this run alone: what the widgets hold makes no sense, whoever has put it there."""
    _here()[key] = f"{md(sentence)}."


def stop_in_doubt() -> None:
    """Behind the widgets: where one of them was asked for what it does not know, say so and stop."""
    told, doubts = dict(_here()), _doubts()
    st.session_state[_HERE] = {}
    if not told:
        return
    doubtful = [key for key in told if key in doubts]
    for key in doubtful:
        doubts[key] = replace(doubts[key], held=st.session_state.get(key))
    _say(list(told.values()), doubtful)


def in_doubt(key: str) -> bool:
    return key in _doubts()


def single(given: tuple[str, ...]) -> str:
    if len(given) > 1:
        raise ValueError(f"the address names {len(given)} values, and it can be one only")
    return given[0]


def text(given: tuple[str, ...]) -> str:
    word = single(given)
    if len(word) > LONGEST:
        raise ValueError(f"a text may have at most {LONGEST} characters")
    if character := control_character(word):
        raise ValueError(f"a text cannot have the character {character}")
    return word


def called(names: Mapping[Any, str], given: tuple[str, ...]) -> Any:
    """The option of this name, or else the one that programs call so, such as an id."""
    word = single(given)
    for name_of in (names.get, str):
        for option in names:
            if name_of(option) == word:
                return option
    raise ValueError(_not_among(word, names.values()))


def all_called(names: Mapping[Any, str], given: tuple[str, ...]) -> list[Any]:
    return [called(names, (word,)) for word in dict.fromkeys(given)]


def page_number(pages: int, given: tuple[str, ...]) -> int:
    word = single(given)
    if not (word.isascii() and word.isdecimal() and len(word) < 10 and 1 <= int(word) <= pages):
        last = "there is one page only" if pages == 1 else f"the last is {pages}"
        raise ValueError(f"there is no page {quoted(word)}; {last}")
    return int(word)


def yes_or_no(given: tuple[str, ...]) -> bool:
    word = single(given)
    if word.lower() not in ("true", "false"):
        raise ValueError(f"{quoted(word)} is neither true nor false")
    return word.lower() == "true"


def day(first: date, last: date, given: tuple[str, ...]) -> date:
    word = single(given)
    try:
        found = datetime.strptime(word, "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no zone
    except ValueError:
        raise ValueError(f"{quoted(word)} is not a day such as 2026-03-31") from None
    if not first <= found <= last:
        raise ValueError(f"{quoted(word)} is not between {formats.day(first)} and {formats.day(last)}")
    return found


def two_days(first: date, last: date, given: tuple[str, ...]) -> tuple[date, date]:
    if len(given) != 2:
        raise ValueError(f"{quoted(', '.join(given))} is not a first and a last day")
    start, end = (day(first, last, (word,)) for word in given)
    if start > end:
        raise ValueError(f"the first day, {formats.day(start)}, is after the last, {formats.day(end)}")
    return start, end


def quoted(word: str) -> str:
    return f"“{word[:60]}…”" if len(word) > 60 else f"“{word}”"


def knows(parameter: str) -> bool:
    """A name that ends in ``*`` stands for all that begin like it."""
    return any(
        parameter == name or (name.endswith("*") and parameter.startswith(name[:-1]))
        for name in st.session_state.get(_KNOWN, ("*",))
    )


def _not_among(word: str, names: Iterable[str]) -> str:
    choices = list(names)
    few = f"; there are {', '.join(choices)}" if len(choices) <= _NAMED else ""
    return f"there is no {quoted(word)} to choose{few}"


def _say(sentences: list[str], parameters: list[str]) -> Never:
    st.warning("  \n".join(["**Nothing is shown for this address.**", *sentences]), icon=":material/link_off:")
    if parameters:
        _offer(parameters)
    st.stop()


def _offer(parameters: list[str]) -> None:
    st.button("Show the page without it", key="address_forget", on_click=_forget, args=(parameters,))


def _forget(parameters: list[str]) -> None:
    for parameter in parameters:
        if one_doubt := _doubts().pop(parameter, None):
            st.session_state[parameter] = one_doubt.default
        # Of a widget's own parameter Streamlit takes care.
        with suppress(StreamlitAPIException):
            st.query_params.pop(parameter, None)


def _look_again(key: str) -> None:
    """Tell of the doubt behind the widgets, unless somebody has chosen something since."""
    one_doubt = _doubts().get(key)
    if one_doubt is None:
        return
    if one_doubt.held is not _UNSEEN and st.session_state.get(key) != one_doubt.held:
        settle(key)
        return
    _here()[key] = one_doubt.sentence


def _doubts() -> dict[str, _Doubt]:
    doubts: dict[str, _Doubt] = st.session_state.setdefault(_DOUBTS, {})
    return doubts


def _here() -> dict[str, str]:
    here: dict[str, str] = st.session_state.setdefault(_HERE, {})
    return here
