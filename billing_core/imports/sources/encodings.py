"""In which encoding a text is: by its mark, UTF-8 where all of it is, otherwise by what its letters look like.

A wrong encoding changes names in silence, so what was guessed is said, and can be changed.
"""

import codecs
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, TextIO

from billing_core.errors import Invalid

UTF_8: Final = "utf-8-sig"
# What people can choose, by the name that Python and most programs know.
CHOICES: Final = {
    UTF_8: "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 without mark, little-endian",
    "utf-16-be": "UTF-16 without mark, big-endian",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252 (Western Europe)",
    "iso8859-15": "Latin-9 (Western Europe)",
    "latin-1": "Latin-1 (Western Europe)",
    "mac-roman": "Macintosh (Western Europe)",
    "cp850": "DOS 850 (Western Europe)",
    "cp437": "DOS 437",
    "cp1250": "Windows-1250 (Central Europe)",
    "iso8859-2": "Latin-2 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "koi8-r": "KOI8-R (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp1257": "Windows-1257 (Baltic)",
    "cp932": "Shift JIS (Japanese)",
    "euc-jp": "EUC-JP (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "cp949": "Windows-949 (Korean)",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK: Final = 1_048_576
# Bytes of lines with other letters, by which the encoding is guessed: more say nothing new, and take long to compare.
_EVIDENCE: Final = 16_384
_SIGN_IN_WORD: Final = re.compile(r"[^\W\d_][‹›÷×ƒ¤¦¬¨¸][^\W\d_]")
_WESTERN_LETTERS: Final = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšžÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝŒŠŽß")
_WESTERN_SIGNS: Final = frozenset("€£§°«»–—‘’‚“”„…•™©®½¼¾²³µ¿¡ªº´·\u00a0\u00ad†")


@dataclass(frozen=True, slots=True)
class Encoding:
    """``doubt`` says what was guessed; empty where nothing was."""

    name: str
    doubt: str = ""


def find(stream: BinaryIO) -> Encoding:
    """The encoding of the whole stream. Invalid where it is no text, or where some of it is UTF-8 and some not."""
    stream.seek(0)
    beginning = stream.read(65_536)
    for mark, name in _MARKS:
        if beginning.startswith(mark):
            return _proven(stream, name)
    if b"\0" in beginning[:4_096]:
        return Encoding(_without_mark(beginning))
    evidence = _not_utf8(stream)
    if evidence is None:
        return Encoding(UTF_8)
    name = _looks_like(evidence)
    return Encoding(name, f"The letters were read as {CHOICES[name]}: see whether names look right.")


def _proven(stream: BinaryIO, name: str) -> Encoding:
    """A mark says it; what does not keep to it is reported with its line when the rows are read."""
    if name == UTF_8:
        return Encoding(name)
    stream.seek(0, os.SEEK_END)
    if stream.tell() % (4 if name == "utf-32" else 2):
        raise Invalid(f"The file is {CHOICES[name]} and ends within a character: it is not whole.")
    return Encoding(name)


def _without_mark(beginning: bytes) -> str:
    """UTF-16 shows by every other byte being 0 in plain letters, figures and separators."""
    whole = beginning[: len(beginning) // 2 * 2]
    for name, zeros, others in (("utf-16-le", whole[1::2], whole[::2]), ("utf-16-be", whole[::2], whole[1::2])):
        if zeros.count(0) * 2 > len(zeros) and not others.count(0):
            return name
    raise Invalid("This is no table: it contains binary data. Save it as an Excel workbook or as CSV and try again.")


def _not_utf8(stream: BinaryIO) -> bytes | None:
    """None where all of it is UTF-8. Otherwise the first lines with other letters than ASCII has."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := stream.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        evidence = _evidence(stream)
        _refuse_mixed(stream, evidence)
        return evidence
    return None


def _evidence(stream: BinaryIO) -> bytes:
    stream.seek(0)
    found = bytearray()
    while (line := stream.readline(_CHUNK)) and len(found) < _EVIDENCE:
        if not line.isascii():
            found += line[:_EVIDENCE]
    return bytes(found)


def _refuse_mixed(stream: BinaryIO, evidence: bytes) -> None:
    """Where most of the letters are UTF-8, the rest is damaged: read as anything else, the most would be wrong."""
    read = evidence.decode("utf-8", errors="surrogateescape")
    wrong = sum("\udc80" <= character <= "\udcff" for character in read)
    right = sum(not character.isascii() for character in read) - wrong
    if right <= wrong:
        return
    raise undecodable(stream, UTF_8)


def undecodable(stream: BinaryIO, name: str) -> Invalid:
    """Names the line of the first byte that is not in this encoding. Reads the file again."""
    title = CHOICES.get(name, name)
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(name)()
    line = 1
    while True:
        chunk = stream.read(65_536)
        pending = len(decoder.getstate()[0])
        try:
            line += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            if not chunk:
                break
            line += error.object[pending : error.start].count(b"\n")
            return Invalid(f"Line {line:,} is not {title} (byte 0x{error.object[error.start]:02X}). {_OTHERWISE}")
        if not chunk:
            break
    return Invalid(f"Line {line:,} is not {title}: the file ends within a character. Is all of it here?")


_OTHERWISE: Final = "Choose another encoding, or save the file as an Excel workbook or as CSV UTF-8."


def _looks_like(evidence: bytes) -> str:
    """A Western one that makes words; few letters are enough to tell. Otherwise what charset-normalizer finds."""
    for name in ("cp1252", "mac-roman", "cp850"):
        if _makes_western_words(evidence, name):
            return name
    # It takes a while to load, and most files do without it.
    from charset_normalizer import from_bytes

    names = [name for name in CHOICES if not name.startswith("utf")]
    best = from_bytes(evidence, cp_isolation=[name.replace("-", "_") for name in names]).best()
    if best is None or _SIGN_IN_WORD.search(str(best)):
        return "cp1252" if _decodes(evidence, "cp1252") else "latin-1"
    found = codecs.lookup(best.encoding).name
    return next((name for name in names if codecs.lookup(name).name == found), "cp1252")


def _decodes(evidence: bytes, name: str) -> bool:
    try:
        evidence.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _makes_western_words(evidence: bytes, name: str) -> bool:
    """In this encoding, its letters are Western ones that mostly stand alone among ASCII ones, in their case, and signs
    stand beside words, not within.
    """
    try:
        text = evidence.decode(name)
    except UnicodeDecodeError:
        return False
    letters = neighbours = 0
    for before, character, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if character.isascii():
            continue
        if character in _WESTERN_SIGNS:
            if before.isalpha() and after.isalpha() and character not in "’´·\u00ad":
                return False
        elif character not in _WESTERN_LETTERS:
            return False
        else:
            if character.isupper() and (before.islower() or (before.isalpha() and after.islower())):
                return False
            letters += 1
            neighbours += not after.isascii() and after.isalpha()
    return neighbours * 4 <= letters


@contextmanager
def text_of(stream: BinaryIO, name: str) -> Iterator[TextIO]:
    """The stream from its beginning as text with its line breaks as they are. Leaves it open."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=name, newline="")
    try:
        yield text
    finally:
        text.detach()
