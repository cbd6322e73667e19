"""What kind of file it is, by its first bytes: its name says little."""

import codecs
import zipfile
from typing import BinaryIO, Final, cast

from billing_core.errors import Invalid
from billing_core.imports.sources.layout import Form
from billing_core.imports.sources.limits import LARGEST_DIRECTORY

_SAVE_AS: Final = "Save the table as an Excel workbook or as CSV and try again."
_OTHERS: Final = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"SQLite format 3\x00", "a database"),
    (b"{\\rtf", "an RTF document"),
    (b"PAR1", "a Parquet file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; ZIP and gzip are read"),
    (b"Rar!", "a RAR archive; ZIP and gzip are read"),
    (b"BZh", "a bzip2 archive; ZIP and gzip are read"),
    (b"\xfd7zXZ", "an xz archive; ZIP and gzip are read"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; ZIP and gzip are read"),
)
_BEGINNING: Final = 65_536
_PROTECTED = "EncryptedPackage".encode("utf-16-le")
_OTHER_ZIPS: Final = (
    ("word/", "a Word document"),
    ("ppt/", "a presentation"),
    ("Index/", "an Apple Numbers document"),
)


def form_of(stream: BinaryIO) -> Form:
    """Invalid where it is none of those that are read."""
    stream.seek(0)
    beginning = stream.read(_BEGINNING)
    if not beginning.strip():
        if len(beginning) < _BEGINNING:
            raise Invalid("The file is empty.")
        return Form.TEXT  # rows may come below
    for signature, what in _OTHERS:
        if beginning.startswith(signature):
            raise Invalid(f"This is no table but {what}. {_SAVE_AS}")
    if beginning.startswith(b"\x1f\x8b"):
        return Form.GZIP
    if beginning.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _form_of_zip(stream)
    if beginning.startswith(b"\xd0\xcf\x11\xe0"):
        return _old_workbook(stream)
    if beginning.startswith(b"\x09\x08"):
        return Form.XLS  # before Excel 97: the workbook itself, in no container
    _refuse_marked_up(beginning)
    return Form.TEXT


def _refuse_marked_up(beginning: bytes) -> None:
    opening = beginning.removeprefix(codecs.BOM_UTF8)
    if opening.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        opening = beginning.decode("utf-16", errors="replace").encode()
    opening = opening.lstrip()[:400].lower()
    if b"<workbook" in opening or b"excel.sheet" in opening:
        raise Invalid(f"This is no table but XML of Excel 2003. Open it in Excel. {_SAVE_AS}")
    if opening.startswith((b"<!doctype", b"<html", b"<table", b"<head", b"<meta", b"<body", b"<style", b"<div")):
        raise Invalid(
            "This is a web page, whatever its name says: some programs call it an Excel file. Open it in Excel. "
            + _SAVE_AS
        )
    if opening.startswith(b"<?xml"):
        raise Invalid(f"This is no table but XML. {_SAVE_AS}")
    if opening.startswith((b"{", b"[")) and opening[1:].lstrip().startswith((b'"', b"{", b"[", b"]", b"}")):
        raise Invalid(f"This is no table but JSON. {_SAVE_AS}")


def _form_of_zip(stream: BinaryIO) -> Form:
    try:
        with zipfile.ZipFile(cast("BinaryIO", _Listed(stream))) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise Invalid("This is a ZIP file or an Excel workbook that is damaged or not whole. Get it again.") from None
    for start, what in _OTHER_ZIPS:
        if any(name.startswith(start) for name in names) and not any(name.startswith("xl/") for name in names):
            raise Invalid(f"This is no table but {what}. {_SAVE_AS}")
    held = set(names)
    if "[Content_Types].xml" in held and "xl/workbook.bin" in held:
        return Form.XLS
    if "[Content_Types].xml" in held:
        return Form.XLSX
    if "content.xml" in held and "mimetype" in held:
        return Form.ODS
    return Form.ZIP


class _Listed:
    """An archive of which only the list of what it holds is read, which is read at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        if size > LARGEST_DIRECTORY:
            raise Invalid("The ZIP file lists more files than any usual one.")
        return self._stream.read(size)


def _old_workbook(stream: BinaryIO) -> Form:
    """Office keeps protected workbooks of today in the container of the old ones, with the names in its directory."""
    stream.seek(0)
    tail = b""
    while chunk := stream.read(1_048_576):
        if _PROTECTED in tail + chunk:
            raise Invalid("The workbook is protected by a password. Save it without one and try again.")
        tail = chunk[-len(_PROTECTED) :]
    return Form.XLS
