"""Files under way, and what is left of them where their process was killed: whoever makes the next one beside them
takes it away, and the product when it starts.

Each has a file beside it that says whose it is, which its process keeps locked as long as it lives. So what another
process is writing stays, on whatever machine that runs, and so does everything that is not ours.
"""

import fcntl
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_OURS: Final = b"The billing dashboard is writing what stands beside this.\n"
_NAME: Final = re.compile(r"(\..+\.[0-9a-f]{16}\.part)\.owner")
_BESIDE_A_DATABASE: Final = ("", "-wal", "-shm", "-journal")


@contextmanager
def under_way(file: Path) -> Iterator[Path]:
    """A path beside the file, for what becomes it; a file or folder that is there at the end is removed."""
    partial = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    owner = _owner(partial)
    with owner.open("xb") as held:
        # Where a file system knows no locks, nobody gets one: then nothing is ever taken away.
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX)
        held.write(_OURS)
        held.flush()
        try:
            yield partial
        finally:
            _remove(partial)
            owner.unlink(missing_ok=True)


def clean(folder: Path) -> list[str]:
    """Remove what killed processes left in this folder; returns the names."""
    found = [(owner, match[1]) for owner in _listed(folder) if (match := _NAME.fullmatch(owner.name))]
    return [name for owner, name in found if _is_left_over(owner)]


def _listed(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(one for one in folder.iterdir() if one.is_file() and not one.is_symlink())
    return []


def _is_left_over(owner: Path) -> bool:
    """Whether it was, and has been removed."""
    # It is locked, somebody else has removed it, or nobody may.
    with suppress(OSError), owner.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if held.read(len(_OURS) + 1) == _OURS:
            _remove(owner.with_name(owner.name.removesuffix(".owner")))
            owner.unlink()
            return True
    return False


def _owner(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.owner")


def _remove(partial: Path) -> None:
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial)
        return
    for ending in _BESIDE_A_DATABASE:
        partial.with_name(partial.name + ending).unlink(missing_ok=True)
