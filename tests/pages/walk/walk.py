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
from tests.pages.walk.window import Origin, Recorder, Window

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
class Kept:
    """A window that stays as it is, to be copied, and a copy of its company, where that was changed on the way there.

    ``origins``: what drew all that it shows, as the recorder has it.
    """

    window: Window
    origins: dict[str, Origin]
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
    _waiting: deque[State] = field(default_factory=deque)
    _known: set[Any] = field(default_factory=set)

    def start(self, file: str, **query: str) -> None:
        self._waiting.append(State(file, tuple(query.items())))

    def go(self) -> None:
        while self._waiting:
            self._explore(self._waiting.popleft())

    def _explore(self, state: State) -> None:
        window = self._opened(state)
        if window is None:
            return
        self.visited.add(window.file)
        drawn = offers(window, self.recorder, self.how)
        self._known.add(_look(window, drawn))
        self._ask_for_downloads(drawn, state)
        clocks = window.clocks()
        kept = self._kept(window)
        for offer in drawn:
            for use in offer.uses:
                if (offer.target.alike, use) in self.tried:
                    continue
                self.tried.add((offer.target.alike, use))
                step = Step(offer.target, use)
                window = window or self._opened(state, kept)
                if window is not None and self._did(window, step, state):
                    self._note_what_came(window, State(state.file, state.query, (*state.steps, step)))
                window = None
        for fragment in clocks:
            if fragment not in self._known:
                self._known.add(fragment)
                window = window or self._opened(state, kept)
                if window is not None:
                    with self._watched(window, f"{state} → a second later"):
                        window.send(fragment=fragment)
                window = None
        if kept is not None and kept.company is not None:
            kept.company.unlink()

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
            self._waiting.append(state)

    def _kept(self, window: Window) -> Kept | None:
        """What to go on from for each use, so that not all that led there is done again."""
        if not window.can_be_copied():
            return None
        company = self.company.snapshot() if self.company.touched else None
        copied = self.anew()
        copied.show(window)
        origins = self.recorder.origins
        drawn = {identity: origins[identity] for identity in window.fragments() if identity in origins}
        return Kept(copied, drawn, company)

    def _opened(self, state: State, kept: Kept | None = None) -> Window | None:
        if kept is not None and kept.company is not None:
            self.company.as_in(kept.company)
        else:
            self.company.as_new()
        window = self.anew()
        if kept is not None:
            window.show(kept.window)
            self.recorder.origins.update(kept.origins)
            return window
        with self._watched(window, str(state)):
            window.open(state.file, **dict(state.query))
        for step in state.steps:
            if window.page.exception or not self._did(window, step, state):
                return None
        return window

    def _did(self, window: Window, step: Step, state: State) -> bool:
        """Whether it went well; what did not is a fault, as is a widget that was there before and is no more."""
        offer = next((o for o in offers(window, self.recorder, self.how) if o.target == step.target), None)
        if offer is None or step.use not in offer.uses:
            self.faults.setdefault(f"not there any more: {step}", str(state))
            return False
        with self._watched(window, f"{state} → {step}"):
            if offer.uses[step.use](window):
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
