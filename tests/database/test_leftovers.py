"""What killed processes leave behind is taken away, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from billing_core.database.files import leftovers

# Begins a file as a backup does, says so, and waits to be killed.
_BEGUN = """
import sys, pathlib
from billing_core.database.files import leftovers
with leftovers.under_way(pathlib.Path(sys.argv[1])) as partial:
    if sys.argv[2] == "folder":
        partial.mkdir()
        (partial / "backup.sqlite3").write_text("half")
    else:
        for ending in ("", "-wal", "-shm"):
            partial.with_name(partial.name + ending).write_text("half")
    print("begun", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.fixture
def begun(tmp_path):
    """``begun("file")``: a process that has begun one in the folder."""
    started = []

    def begin(what: str) -> subprocess.Popen:
        command = [sys.executable, "-c", _BEGUN, str(tmp_path / "billing.sqlite3"), what]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "begun\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_stays(begun, tmp_path, what):
    dead = begun(what)
    dead.kill()
    dead.wait()
    left = names(tmp_path)
    assert len(left) == (2 if what == "folder" else 4)
    living = begun(what)
    mine = names(tmp_path) - left
    (removed,) = leftovers.clean(tmp_path)
    assert names(tmp_path) == mine
    assert removed in left
    assert leftovers.clean(tmp_path) == []
    # Whoever ends in order leaves nothing.
    living.stdin.close()
    assert living.wait() == 0
    assert names(tmp_path) == set()


def test_after_a_failure_nothing_is_left(tmp_path):
    def fail() -> None:
        with leftovers.under_way(tmp_path / "billing.sqlite3") as partial:
            partial.write_text("half")
            raise OSError("The disk is full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert names(tmp_path) == set()


def test_what_others_made_stays(tmp_path):
    others = [
        ".billing.sqlite3.0123abcd.part",
        ".billing.sqlite3.0123456789abcdef.part",
        ".film.mp4.0123456789abcdef.part",
        ".film.mp4.0123456789abcdef.part.owner",
        "billing.sqlite3",
        "billing.sqlite3.owner",
    ]
    for name in others:
        (tmp_path / name).write_text("somebody else's")
    (tmp_path / ".x.0123456789abcdef.part.owner").symlink_to(tmp_path / "billing.sqlite3.owner")
    (tmp_path / ".y.0123456789abcdef.part.owner").mkdir()
    before = names(tmp_path)
    assert leftovers.clean(tmp_path) == []
    assert names(tmp_path) == before


def test_a_folder_that_is_not_there_has_nothing_to_clean(tmp_path):
    assert leftovers.clean(tmp_path / "nowhere") == []
