"""``make mutants [MODULE=rating/limits] [COUNT=20] [SEED=1]``: what the tests would not notice, module by module."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mutants.equivalents import Equivalent, read, unknown, without
from mutants.forking import load
from mutants.measuring import measured, run_of
from mutants.modules import AIM, MODULES, WITHOUT_EXCEPTION, module
from mutants.mutations import Mutant, mutants_of
from mutants.trying import Verdict, tried

_ROOT: Final = Path(__file__).parents[2]


def main(root: Path, names: Sequence[str], listed: Sequence[Equivalent], count: int, seed: int) -> int:
    """Try so many mutants of each module, or all where ``count`` is 0, and tell; 1 where one misses its aim."""
    at_once = len(os.sched_getaffinity(0))
    modules = [module(root, name) for name in names]
    refuse_unknown(root, listed)
    missed = []
    for one in modules:
        started = time.monotonic()
        known = measured(root, "billing_core", one.tests, at_once)
        load(known.libraries)
        possible = mutants_in(root, one.files)
        to_notice = without(possible, listed)
        drawn = sample(to_notice, count, seed)
        print(f"{one.name}: trying {len(drawn)} faults on {len(known.tests)} tests …", flush=True)
        verdicts = []
        for verdict in tried(root, drawn, known, at_once):
            verdicts.append(verdict)
            if verdict.survived:
                print(_survivor(verdict), flush=True)
        coverage = run_of(root, one.files, known.arcs)
        print(_never_run(coverage), end="")
        counted = f"{len(possible)} possible, {len(possible) - len(to_notice)} of them equivalent"
        branches = "{covered_branches} of {num_branches} branches run".format_map(coverage["totals"])
        seconds = time.monotonic() - started
        print(f"{one.name}: {_score(verdicts)} ({counted}), {branches}, in {seconds:.0f} s", flush=True)
        if not meets_aim(verdicts):
            missed.append(one.name)
    print(f"Seed {seed}. " + (f"Below the aim: {', '.join(missed)}" if missed else "Every module meets its aim."))
    return 1 if missed else 0


def mutants_in(root: Path, files: Sequence[str]) -> list[Mutant]:
    return [mutant for file in files for mutant in mutants_of(file, (root / file).read_text())]


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many of them, or all for 0. Each keeps its rank whatever becomes of the others."""
    ranked = sorted(mutants, key=lambda mutant: mutant.rank(seed))
    return ranked[: count or None]


def meets_aim(verdicts: Sequence[Verdict]) -> bool:
    survivors = [verdict.mutant for verdict in verdicts if verdict.survived]
    enough = len(verdicts) - len(survivors) >= AIM * len(verdicts)
    return enough and not any(mutant.file in WITHOUT_EXCEPTION for mutant in survivors)


def refuse_unknown(root: Path, listed: Sequence[Equivalent]) -> None:
    """Whoever changes a line that an equivalent mutant stands on has to think of it again."""
    files = sorted({one.file for one in listed if (root / one.file).is_file()})
    if strangers := unknown(mutants_in(root, files), listed):
        told = "\n".join(f"  {one.file} in {one.function}: {one.change} in: {one.line}" for one in strangers)
        raise SystemExit(f"Listed as equivalent, but no mutant of today's code, or without a reason:\n{told}")


def _survivor(verdict: Verdict) -> str:
    ran = f"{verdict.tests} tests run it" if verdict.tests else "no quick test runs it"
    return f"  survived: {verdict.mutant} ({ran})"


def _never_run(coverage: dict[str, Any]) -> str:
    told = ""
    for file, seen in sorted(coverage["files"].items()):
        lines, branches = _ranges(seen["missing_lines"]), _branches(seen)
        if lines or branches:
            told += f"  never run by them: {file}"
            told += f", lines {lines}" if lines else ""
            told += f", branches {branches}" if branches else ""
            told += "\n"
    return told


def _ranges(lines: Sequence[int]) -> str:
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)


def _branches(seen: dict[str, Any]) -> str:
    """From lines that are run to others that are, but never after these."""
    lines = set(seen["missing_lines"])
    missing = [(line, to) for line, to in seen["missing_branches"] if not {line, to} & lines]
    return ", ".join(f"{line} to {to if to > 0 else 'the end'}" for line, to in missing)


def _score(verdicts: Sequence[Verdict]) -> str:
    noticed = sum(not verdict.survived for verdict in verdicts)
    share = f"{noticed / len(verdicts):.1%}" if verdicts else "nothing to try"
    return f"{noticed} of {len(verdicts)} noticed, {share}"


if __name__ == "__main__":
    chosen = os.environ.get("MODULE", "").split() or [*MODULES]
    sys.exit(main(_ROOT, chosen, read(), int(os.environ.get("COUNT") or 20), int(os.environ.get("SEED") or 1)))
