"""A cell of a gigabyte, ten million columns, a line without an end: a clear sentence, and little memory."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports.sources.huge import CASES

# What is longer than a few megabytes is not told from what is a thousand times as long: `huge 1024` tries that too.
MEGABYTES = 48
# A row of a workbook may have 16 MB, which are bytes, text and cells at once.
ALLOWED_MB = 100


@pytest.fixture(scope="module")
def results() -> dict[str, dict]:
    """One process for all: its peak only grows by what needs more than all before."""
    root = Path(__file__).parent.parent.parent.parent
    command = [sys.executable, "-m", "tests.imports.sources.huge", str(MEGABYTES)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    found = map(json.loads, ended.stdout.splitlines())
    return {result["name"]: result for result in found}


@pytest.mark.later
@pytest.mark.parametrize("name", CASES)
def test_what_is_made_to_fill_memory_is_refused_with_a_sentence(results, name):
    _, sentence = CASES[name]
    result = results[name]
    assert result["mb"] < ALLOWED_MB
    assert re.search(sentence, result["said"]), result["said"]
