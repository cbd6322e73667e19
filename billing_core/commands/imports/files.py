"""The files that commands read and write, and how the options say that one is read."""

import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from billing_core.errors import Invalid, NotFound
from billing_core.imports import sources
from billing_core.imports.automatic import answers


def read_as(arguments: Namespace) -> sources.Chosen:
    return sources.Chosen(
        answers.encoding(arguments.encoding),
        answers.separator(arguments.separator),
        arguments.header_line,
        arguments.sheet,
        tuple(arguments.keep_line),
        tuple(arguments.drop_line),
    )


@contextmanager
def written(file: Path | None) -> Iterator[BinaryIO | None]:
    if file is None:
        yield None
        return
    try:
        with file.open("wb") as target:
            yield target
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror}") from None


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """The file, from a temporary copy where it can only be read once, such as a pipe."""
    try:
        with file.open("rb") as stream:
            if stream.seekable():
                yield stream
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(stream, copy)
                yield copy
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}") from None
    except IsADirectoryError:
        raise NotFound(f"{file} is a folder, not a file") from None
    except PermissionError:
        raise NotFound(f"{file} may not be read by this account") from None
