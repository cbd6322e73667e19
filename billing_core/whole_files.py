"""Files that are there whole or not at all, whoever else writes them and whenever the power fails."""

import os
from contextlib import suppress
from pathlib import Path


def publish(written: Path, file: Path) -> None:
    """Bring a written file to the disk and give it its name. FileExistsError where the name is taken meanwhile."""
    with written.open("rb") as content:
        os.fsync(content.fileno())
    try:
        file.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system knows a second name for a file.
        if file.exists():
            raise FileExistsError(file) from None
        written.rename(file)
    # Nor does each let a folder be opened.
    with suppress(OSError):
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
