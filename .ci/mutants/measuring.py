"""Which test runs which lines, how long each takes, and what none of them runs.

Measured once for each file of tests, and kept in ``.mutants/`` until that file, the product or what tests share has
changed. Only quick tests count: one that searches, starts processes or drives a browser tells too late what it saw.
"""

import hashlib
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import coverage
import pytest

from mutants.forking import Job, ran

# Libraries are loaded before pytest, which warns of those that bring plugins.
_LOADED: Final = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
OPTIONS: Final = ("-q", "-p", "no:cacheprovider", "-m", "not slow and not browser", "-W", _LOADED)
_PLACE: Final = ".mutants"


@dataclass(slots=True)
class QuickTest:
    """``seconds`` without what its fixtures took. ``lines`` are those that it runs, by file."""

    seconds: float
    on_postgresql: bool
    lines: dict[str, set[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Measured:
    """The tests by their ids, the steps from line to line that they take in each file, and the libraries loaded."""

    tests: dict[str, QuickTest] = field(default_factory=dict)
    arcs: dict[str, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    libraries: dict[str, None] = field(default_factory=dict)


def measured(root: Path, product: str, tests: Sequence[str], at_once: int) -> Measured:
    """What these files of tests run of the product, a folder. Fails if one of them fails: it would notice anything."""
    shared = _digest(root, sorted({*(root / product).rglob("*"), *_shared(root)}))
    wanted = {file: _digest(root, [root / file], shared) for file in tests}
    stale = [file for file, digest in wanted.items() if _kept(root, file).get("digest") != digest]
    if stale:
        print(f"Measuring which lines {len(stale)} files of tests run …", flush=True)
    shares = [share for share in (stale[first::at_once] for first in range(at_once)) if share]
    jobs = [Job(partial(_measure, root, product, {file: wanted[file] for file in share}), 3600) for share in shares]
    for ended in ran(jobs, at_once):
        if not ended.passed:
            raise SystemExit(f"{ended.said}\n\nTests that fail already cannot tell what a fault would change.")
    return _together(root, tests)


def run_of(root: Path, files: Sequence[str], arcs: dict[str, set[tuple[int, int]]]) -> dict[str, Any]:
    """Coverage's report on these files: ``totals``, and ``files`` with their missing lines and branches."""
    kept = root / _PLACE
    data = coverage.CoverageData(str(kept / "coverage"))
    data.erase()
    data.add_arcs({str(root / file): arcs.get(file, set()) for file in files})
    data.touch_files([str(root / file) for file in files])
    data.write()
    report = coverage.Coverage(str(kept / "coverage"), config_file=False, branch=True)
    report.exclude("if TYPE_CHECKING:")
    report.load()
    report.json_report(outfile=str(kept / "coverage.json"))
    told: dict[str, Any] = json.loads((kept / "coverage.json").read_text())
    return told


class _Recorder:
    """Asks coverage, for each test, which lines it runs."""

    def __init__(self, watched: coverage.Coverage) -> None:
        self.watched = watched
        self.seconds: dict[str, float] = {}
        self.on_postgresql: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.watched.switch_context(item.nodeid)
        if item.get_closest_marker("postgresql"):
            self.on_postgresql.add(item.nodeid)
        result = yield
        self.watched.switch_context("")
        return result

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.seconds[report.nodeid] = round(report.duration, 3)


def _measure(root: Path, product: str, files: dict[str, str]) -> int:
    """In a process of its own: run these files of tests and keep what was seen beside their digests."""
    # The only way to watch that can tell tests apart, which newer Pythons do not take by themselves.
    os.environ["COVERAGE_CORE"] = "ctrace"
    watched = coverage.Coverage(None, config_file=False, branch=True, source=[str(root / product)], messages=False)
    recorder = _Recorder(watched)
    watched.start()
    code = pytest.main([*OPTIONS, *files], plugins=[recorder])
    watched.stop()
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return int(code)
    data = watched.get_data()
    lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place in data.measured_files():
        name = str(Path(place).relative_to(root))
        data.set_query_contexts(None)
        for line, contexts in data.contexts_by_lineno(place).items():
            for context in contexts:
                lines[context][name].append(line)
    for file, digest in files.items():
        data.set_query_contexts([rf"^{re.escape(file)}::", "^$"])
        arcs = {str(Path(place).relative_to(root)): data.arcs(place) for place in data.measured_files()}
        tests = {
            test: {"seconds": seconds, "on_postgresql": test in recorder.on_postgresql, "lines": lines[test]}
            for test, seconds in recorder.seconds.items()
            if test.startswith(f"{file}::")
        }
        kept = {"digest": digest, "tests": tests, "arcs": arcs, "libraries": _libraries(root)}
        _place(root, file).parent.mkdir(exist_ok=True)
        _place(root, file).write_text(json.dumps(kept))
    return 0


def _together(root: Path, tests: Sequence[str]) -> Measured:
    found = Measured()
    for file in tests:
        kept = _kept(root, file)
        for name, test in kept["tests"].items():
            lines = {place: set(numbers) for place, numbers in test["lines"].items()}
            found.tests[name] = QuickTest(test["seconds"], test["on_postgresql"], lines)
        for place, arcs in kept["arcs"].items():
            found.arcs[place].update((first, second) for first, second in arcs or ())
        found.libraries.update(dict.fromkeys(kept["libraries"]))
    return found


def _libraries(root: Path) -> list[str]:
    """What is loaded and not the project's own, in the order in which it was."""
    own = {place.stem for place in root.iterdir()} | {__name__.split(".")[0]}
    return [name for name in sys.modules if name.split(".")[0] not in own]


def _shared(root: Path) -> list[Path]:
    return [file for file in (root / "tests").rglob("*") if not file.name.startswith("test_")]


def _digest(root: Path, files: Sequence[Path], before: str = "") -> str:
    told = hashlib.sha256(before.encode())
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            told.update(f"{file.relative_to(root)}\n".encode())
            told.update(file.read_bytes())
    return told.hexdigest()


def _place(root: Path, file: str) -> Path:
    return root / _PLACE / (file.replace("/", ".") + ".json")


def _kept(root: Path, file: str) -> dict[str, Any]:
    place = _place(root, file)
    kept: dict[str, Any] = json.loads(place.read_text()) if place.is_file() else {}
    return kept
