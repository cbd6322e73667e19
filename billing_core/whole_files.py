"""Atomic files: complete or absent, whoever else writes them and whenever the power fails."""

import os
from contextlib import suppress
from pathlib import Path


def publish(written: Path, file: Path) -> None:
    """Sync a written file to disk and give it its name. FileExistsError where the name exists by then."""
    with written.open("rb") as content:
        os.fsync(content.fileno())
    try:
        file.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system has hard links.
        if file.exists():
            raise FileExistsError(file) from None
        written.rename(file)
    # Nor can a folder be opened on each.
    with suppress(OSError):
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
