"""The fonts of PDFs. A process reads each file once; a document embeds only the glyphs that it shows.

DejaVu has the European alphabets, Arabic and Hebrew; the others supply characters that it lacks.
"""

import copy
import enum
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

import uharfbuzz
from fpdf import FPDF
from fpdf.fonts import SubsetMap, TTFFont

FAMILY: Final = "DejaVu"
FOLDER: Final = Path(__file__).parent / "font_files"
_HANGUL = frozenset((*range(0x1100, 0x1200), *range(0x3130, 0x3190), *range(0xAC00, 0xD7A4)))
# The font tables that a PDF needs; the PDF itself places and names the glyphs.
_TABLES = {"glyf", "loca", "head", "hhea", "hmtx", "maxp"}


class Face(enum.StrEnum):
    """A font file; the value is the key under which fpdf2 knows it."""

    REGULAR = "dejavu"
    BOLD = "dejavuB"
    THAI = "noto-thai"
    DEVANAGARI = "noto-devanagari"
    KOREAN = "nanum"
    CHINESE_AND_JAPANESE = "droid"
    SIGNS_AND_EMOJI = "symbola"


# In the order in which they are tried for a character that DejaVu does not have.
FALLBACKS: Final = (Face.THAI, Face.DEVANAGARI, Face.KOREAN, Face.CHINESE_AND_JAPANESE, Face.SIGNS_AND_EMOJI)
_FILES = {
    Face.REGULAR: FOLDER / "DejaVuSansCondensed.ttf",
    Face.BOLD: FOLDER / "DejaVuSansCondensed-Bold.ttf",
    Face.THAI: FOLDER / "NotoSansThai-Regular.ttf",
    Face.DEVANAGARI: FOLDER / "NotoSansDevanagari-Regular.ttf",
    Face.KOREAN: FOLDER / "NanumSquareR.ttf",
    Face.CHINESE_AND_JAPANESE: FOLDER / "DroidSansFallbackFull.ttf",
    Face.SIGNS_AND_EMOJI: FOLDER / "Symbola.ttf",
}
_parsing = Lock()


def font(face: Face, index: int) -> TTFFont:
    """A document's ``index``-th font: its own list of used glyphs over the widths that all documents share."""
    own = copy.copy(_parsed(face))
    own.i = index
    own.missing_glyphs = []
    own.desc = copy.copy(own.desc)
    own.subset = SubsetMap(own)
    return own


@cache
def characters(face: Face) -> frozenset[int]:
    """The code points that this font can draw."""
    listed = frozenset(_outlines(face).unicodes)
    # The Korean font lists Chinese characters too, and draws nothing for them.
    return listed.intersection(_HANGUL) if face is Face.KOREAN else listed


def has(face: Face, character: str) -> bool:
    return ord(character) in characters(face)


@cache
def widths(face: Face) -> Mapping[int, float]:
    """Code point → width in thousandths of the font's size."""
    return _parsed(face).cw


def cut(face: Face, glyphs: Iterable[int]) -> tuple[bytes, Mapping[int, int]]:
    """The font file reduced to these glyphs and the one for missing characters, and each glyph's index in it."""
    outlines = _outlines(face)
    subset = uharfbuzz.SubsetInput()
    subset.glyph_set.update({0, *glyphs})
    subset.flags = (
        uharfbuzz.SubsetFlags.NO_HINTING
        | uharfbuzz.SubsetFlags.NO_LAYOUT_CLOSURE
        | uharfbuzz.SubsetFlags.NOTDEF_OUTLINE
    )
    unneeded = set(outlines.table_tags) - _TABLES
    subset.drop_table_tag_set.update({int.from_bytes(tag.encode(), "big") for tag in unneeded})
    plan = uharfbuzz.SubsetPlan(outlines, subset)
    return bytes(plan.execute().blob.data), dict(plan.old_to_new_glyph_mapping)


@cache
def _outlines(face: Face) -> uharfbuzz.Face:
    return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(_FILES[face])))


def _parsed(face: Face) -> TTFFont:
    # Read by one thread: the others wait rather than read the same file.
    with _parsing:
        return _read(face)


@cache
def _read(face: Face) -> TTFFont:
    style = "B" if face is Face.BOLD else ""
    parsed = TTFFont(FPDF(), _FILES[face], face.value, style)
    # Everything used later has been read.
    parsed.ttfont.close()
    return parsed
