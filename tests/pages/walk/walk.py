"""A walk through all that the pages offer: breadth first, one use at a time, each in an untouched company."""

import logging
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from tests.pages.walk.companies import Company
from tests.pages.walk.offers import Offer, Target, Thoroughness, offers
from tests.pages.walk.window import Recorder, Window

# A page, a dialog's opener and three steps in the dialog.
MOST_STEPS = 5
_LEAKS = re.compile(r"Traceback|sqlite3\.|psycopg|sqlalchemy|object at 0x|Errno")
Address = tuple[str, tuple[tuple[str, Any], ...]]


@dataclass(frozen=True, slots=True)
class Step:
    """One use of one widget."""

    target: Target
    use: str

    def __str__(self) -> str:
        return f"{self.use}: {self.target}"


@dataclass(frozen=True, slots=True)
class State:
    """A page at an address, and what was done there since."""

    file: str
    query: tuple[tuple[str, Any], ...] = ()
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        address = "&".join(f"{name}={value}" for name, value in self.query)
        return " → ".join([f"{self.file}?{address}", *map(str, self.steps)])


@dataclass(frozen=True, slots=True)
class Reached:
    """What a window came to show, and a copy of its company, where that was changed on the way there."""

    state: State
    window: Window
    drawn: list[Offer]
    company: Path | None


@dataclass(slots=True)
class Walk:
    """``anew`` opens a window in the ``company`` as it is, ``status`` answers with what a download's address is
    answered with.

    ``tried``: each use of each kind of widget, once, whichever row's it is. ``used_lines``: what came of it, as
    (file below pages/, line) of what was really used.
    """

    recorder: Recorder
    how: Thoroughness
    company: Company
    anew: Callable[[], Window]
    status: Callable[[str], int]
    tried: set[tuple[Any, str]] = field(default_factory=set)
    used_lines: set[tuple[str, int]] = field(default_factory=set)
    visited: set[str] = field(default_factory=set)
    faults: dict[str, str] = field(default_factory=dict)
    runs: int = 0
    _waiting: deque[State | Reached] = field(default_factory=deque)
    _known: set[Any] = field(default_factory=set)

    def start(self, file: str, **query: Any) -> None:
        self._waiting.append(State(file, tuple(query.items())))

    def go(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            reached = self._reached(waiting) if isinstance(waiting, State) else waiting
            if reached is not None:
                self._explore(reached)
                if reached.company is not None:
                    reached.company.unlink()

    def _explore(self, reached: Reached) -> None:
        state, drawn = reached.state, reached.drawn
        self.visited.add(reached.window.file)
        self._known.add(_look(reached.window, drawn))
        self._ask_for_downloads(drawn, state)
        clocks = reached.window.clocks()
        windows = self._windows(reached)
        for offer in drawn:
            for name, use in offer.uses.items():
                if (offer.target.alike, name) in self.tried:
                    continue
                self.tried.add((offer.target.alike, name))
                step = Step(offer.target, name)
                if use is not None and (window := next(windows)) is not None and self._did(window, step, state):
                    self._note_what_came(window, State(state.file, state.query, (*state.steps, step)))
        for fragment in clocks - self._known:
            self._known.add(fragment)
            if (window := next(windows)) is not None:
                with self._watched(window, f"{state} → a second later"):
                    window.send(fragment=fragment)

    def _note_what_came(self, window: Window, state: State) -> None:
        """Look at it later, if it offers anything new: by its address where that alone leads there."""
        drawn = offers(window, self.recorder, self.how)
        self._ask_for_downloads(drawn, state)
        look = _look(window, drawn)
        if look in self._known or all((offer.target.alike, use) in self.tried for offer in drawn for use in offer.uses):
            return
        self._known.add(look)
        address = (window.file, tuple(window.page.query_params.items()))
        if address != (state.file, state.query) and not self.company.touched:
            self._waiting.append(State(*address))
        # Another page is walked through from its own address: what a changed company has on it is looked at once.
        elif window.file == state.file and len(state.steps) < MOST_STEPS:
            self._waiting.append(self._as_reached(state, window, drawn))

    def _reached(self, state: State) -> Reached | None:
        window = self._opened(state)
        return window and self._as_reached(state, window, offers(window, self.recorder, self.how))

    def _as_reached(self, state: State, window: Window, drawn: list[Offer]) -> Reached:
        return Reached(state, window, drawn, self.company.snapshot() if self.company.touched else None)

    def _windows(self, reached: Reached) -> Iterator[Window | None]:
        """One after the other that shows what was reached, in a company like the one there: copies, so that not all
        that led there is done again; where a copy would share what the pages change, all of it is.
        """
        if not reached.window.can_be_copied():
            self._return_to(reached)
            yield reached.window
            while True:
                yield self._opened(reached.state)
        while True:
            self._return_to(reached)
            window = self.anew()
            window.show(reached.window)
            yield window

    def _return_to(self, reached: Reached) -> None:
        self.company.as_in(reached.company)
        self.recorder.origins.update((offer.identity, offer.target.origin) for offer in reached.drawn)

    def _opened(self, state: State) -> Window | None:
        """A new window in a company as good as new, where all of this was done."""
        self.company.as_in(None)
        window = self.anew()
        with self._watched(window, str(state)):
            window.open(state.file, **dict(state.query))
        for step in state.steps:
            if window.page.exception or not self._did(window, step, state):
                return None
        return window

    def _did(self, window: Window, step: Step, state: State) -> bool:
        """Whether it went well; what did not is a fault, as is a widget that was there before and is no more."""
        offer = next((o for o in offers(window, self.recorder, self.how) if o.target == step.target), None)
        use = offer.uses.get(step.use) if offer is not None else None
        if offer is None or use is None:
            self.faults.setdefault(f"not there any more: {step}", str(state))
            return False
        with self._watched(window, f"{state} → {step}"):
            if use(window):
                self.used_lines.add(_line(offer))
        return not window.page.exception

    def _ask_for_downloads(self, drawn: list[Offer], state: State) -> None:
        for offer in drawn:
            if offer.target.kind == "link_button" and (offer.target.alike, "follow") not in self.tried:
                self.tried.add((offer.target.alike, "follow"))
                self.used_lines.add(_line(offer))
                address = offer.node.proto.url
                if address.startswith("/") and (status := self.status(address)) != 200:
                    self.faults.setdefault(f"{address} is answered with {status}", str(state))

    @contextmanager
    def _watched(self, window: Window, where: str) -> Iterator[None]:
        """Whatever goes wrong in the run becomes a fault: an exception, a log record, words that are not for people."""
        self.runs += 1
        records = _Records()
        logging.getLogger().addHandler(records)
        try:
            with capture_logs() as entries:
                yield
        finally:
            logging.getLogger().removeHandler(records)
        for shown in window.page.exception:
            self.faults.setdefault("\n".join([shown.message, *shown.stack_trace[-4:]]), where)
        for entry in entries:
            if entry["log_level"] in ("warning", "error", "critical"):
                self.faults.setdefault(f"logged: {entry['event']} {entry.get('exc_info') or ''}", where)
        for message in records.messages:
            self.faults.setdefault(f"logged: {message}", where)
        for shown in (*window.page.error, *window.page.warning):
            if _LEAKS.search(shown.value):
                self.faults.setdefault(f"said: {shown.value}", where)
        for text in window.texts_with_a_meaning():
            self.faults.setdefault(f"as if it were ours: {text}", where)


def _line(offer: Offer) -> tuple[str, int]:
    """Where it is drawn: (file below pages/, line)."""
    file, _, line = offer.target.origin[-1]
    return file, line


class _Records(logging.Handler):
    """What was logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name} {record.getMessage()}")


def _look(window: Window, drawn: list[Offer]) -> Any:
    """Two pages that offer the same look alike, whatever rows they show."""
    return window.file, frozenset((offer.target.alike, use) for offer in drawn for use in offer.uses)
