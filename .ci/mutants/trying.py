"""Put one fault in, run the tests that run its line, and see whether one of them fails.

Tests in the file that is named like the module come first, then the quickest, and the first that fails ends it; SQLite
before PostgreSQL, whose server takes longer to start than most tests. Without any fault all of them have to pass, in
the same order and the same way.
"""

import ast
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, Final

import pytest

from mutants.forking import Ended, Job, ran
from mutants.measuring import OPTIONS, Measured
from mutants.mutations import Mutant, mutated

# What a test may take before the fault counts as noticed: a busy machine starts a server in this time.
_SECONDS: Final = 60
_TIMES_AS_LONG: Final = 10
# What all of them may take together is only for what hangs while it is loaded.
_SECONDS_IN_ALL: Final = 1800
_NO_SERVER: Final = 100
_SAYS_NOTHING: Final = (_NO_SERVER, pytest.ExitCode.NO_TESTS_COLLECTED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one mutant. ``tests`` is how many run its line."""

    mutant: Mutant
    survived: bool
    tests: int


def tried(root: Path, mutants: Sequence[Mutant], known: Measured, at_once: int) -> Iterator[Verdict]:
    """Try these mutants against the tests that run their lines."""
    covering = {mutant: covering_tests(mutant, known) for mutant in mutants}
    for on_postgresql in (False, True):
        chosen = {
            mutant: [test for test in tests if known.tests[test].on_postgresql == on_postgresql]
            for mutant, tests in covering.items()
        }
        chosen = {mutant: tests for mutant, tests in chosen.items() if tests}
        every = [*dict.fromkeys(test for tests in chosen.values() for test in tests)]
        jobs: list[tuple[Mutant | None, list[str]]] = [(None, every), *chosen.items()] if every else []
        work = (Job(partial(_try, root, mutant, tests, known), _SECONDS_IN_ALL, mutant) for mutant, tests in jobs)
        for ended in ran(work, at_once):
            if _is_noticed(ended):
                noticed: Any = ended.job.about
                yield Verdict(noticed, survived=False, tests=len(covering.pop(noticed)))
    for mutant, tests in covering.items():
        yield Verdict(mutant, survived=True, tests=len(tests))


def covering_tests(mutant: Mutant, known: Measured) -> list[str]:
    """The tests that run a mutant's statement, those first that are likely to notice soon. What runs when its file is
    imported concerns every test that runs anything of the file, or else every test."""
    first, last = mutant.statement
    of_file = {name: lines for name, test in known.tests.items() if (lines := test.lines.get(mutant.file))}
    statement = range(first, last + 1)
    reaching = {name for name, lines in of_file.items() if mutant.at_import or not lines.isdisjoint(statement)}
    named = f"/test_{Path(mutant.file).stem}.py::"
    every = reaching or (set(known.tests) if mutant.at_import else set())
    return sorted(every, key=lambda test: (named not in test, known.tests[test].seconds, test))


def _is_noticed(ended: Ended) -> bool:
    if ended.job.about is None and not ended.passed:
        raise SystemExit(f"{ended.said}\n\nThese tests fail without any fault when they run in this order.")
    if ended.code in _SAYS_NOTHING:
        raise SystemExit(f"{ended.said}\n\nNo test could be run against {ended.job.about}")
    return not ended.passed


def _try(root: Path, mutant: Mutant | None, tests: Sequence[str], known: Measured) -> int:
    """In a process of its own: import the mutant in its module's place, and run the tests."""
    if mutant:
        sys.meta_path.insert(0, _InItsPlace(root / mutant.file, root, mutant.place))
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    chosen = _Chosen(tests, known)
    return int(pytest.main([*OPTIONS, "-x", *files], plugins=[chosen]))


class _InItsPlace(MetaPathFinder):
    """Finds one module, with the fault in it. No file is changed."""

    def __init__(self, file: Path, root: Path, place: int) -> None:
        parts = file.relative_to(root).with_suffix("").parts
        self._is_package = parts[-1] == "__init__"
        self._name = ".".join(parts[:-1] if self._is_package else parts)
        self._file, self._place = file, place

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Faulty(fullname, str(self._file))
        loader.tree = mutated(self._file.read_text(), self._place)
        inside = [str(self._file.parent)] if self._is_package else None
        return importlib.util.spec_from_file_location(
            fullname, self._file, loader=loader, submodule_search_locations=inside
        )


class _Faulty(SourceFileLoader):
    tree: ast.Module

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.tree, self.path, "exec", dont_inherit=True)


class _Chosen:
    """Leaves only the chosen tests, in their order, and ends everything when one of them takes far too long."""

    def __init__(self, tests: Sequence[str], known: Measured) -> None:
        self._order = {test: number for number, test in enumerate(tests)}
        self._known = known

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # A fault may change what tests are named, where they take a table of the product one by one.
        kept = [item for item in items if item.nodeid in self._order or item.nodeid not in self._known.tests]
        items[:] = sorted(kept, key=lambda item: self._order.get(item.nodeid, len(self._order)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        measured = self._known.tests.get(item.nodeid)
        signal.signal(signal.SIGALRM, _time_is_over)
        signal.setitimer(signal.ITIMER_REAL, _SECONDS + _TIMES_AS_LONG * (measured.seconds if measured else 0))
        result = yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        try:
            return (yield)
        except Exception as failure:
            if fixturedef.argname == "postgres_url":
                pytest.exit(f"PostgreSQL did not start, which is no test's opinion: {failure}", returncode=_NO_SERVER)
            raise


def _time_is_over(_signal: int, _frame: FrameType | None) -> None:
    os._exit(pytest.ExitCode.TESTS_FAILED)
