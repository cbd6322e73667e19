"""The fonts of PDFs. A process reads a file when a text first needs it; a document embeds the glyphs that it shows.

DejaVu has the European alphabets, Arabic and Hebrew. What it lacks comes from the fallbacks, which have many scripts or
signs, and from Noto's fonts, of which each has one script: a file more is a script more.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Final

import uharfbuzz
from fpdf import FPDF
from fpdf.fonts import SubsetMap, TTFFont
from fpdf.unicode_script import get_unicode_script

# The key under which fpdf2 knows a font: the name of its file, except for the two that are chosen by weight.
Face = str
FAMILY: Final = "DejaVu"
REGULAR: Final[Face] = "dejavu"
BOLD: Final[Face] = "dejavuB"
KOREAN: Final[Face] = "NanumSquareR"
# In the order in which they are tried for a character that DejaVu does not have.
FALLBACKS: Final[tuple[Face, ...]] = (
    "NotoSansThai-Regular",
    "NotoSansDevanagari-Regular",
    KOREAN,
    "DroidSansFallbackFull",
    "Symbola",
)
FOLDER: Final = Path(__file__).parent / "font_files"
_FILES: Final = {REGULAR: "DejaVuSansCondensed", BOLD: "DejaVuSansCondensed-Bold"}
_ONE_SCRIPT: Final = re.compile(r"Noto(?:Sans|Serif)(\w+)-Regular")
_HANGUL = frozenset((*range(0x1100, 0x1200), *range(0x3130, 0x3190), *range(0xAC00, 0xD7A4)))
# The font tables that a PDF needs; the PDF itself places and names the glyphs.
_TABLES = {"glyf", "loca", "head", "hhea", "hmtx", "maxp"}
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
    return listed.intersection(_HANGUL) if face == KOREAN else listed


def has(face: Face, character: str) -> bool:
    return ord(character) in characters(face)


@lru_cache(maxsize=8192)
def faces_of(character: str) -> tuple[Face, ...]:
    """All that have this character, in the order in which they are tried; bold DejaVu is not among them."""
    if common := tuple(face for face in (REGULAR, *FALLBACKS) if has(face, character)):
        return common
    own = _of_scripts().get(get_unicode_script(character).name.replace("_", ""))
    return (own,) if own and has(own, character) else ()


@cache
def shaper(face: Face) -> uharfbuzz.Font:
    """What HarfBuzz sets text with, in the font's own units."""
    return uharfbuzz.Font(_outlines(face))


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
    return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(_file(face))))


def _file(face: Face) -> Path:
    return FOLDER / f"{_FILES.get(face, face)}.ttf"


@cache
def _of_scripts() -> Mapping[str, Face]:
    """Unicode's name of a script, in one word → the font that has it alone."""
    names = (path.stem for path in FOLDER.glob("Noto*.ttf"))
    return {found.group(1).upper(): name for name in names if (found := _ONE_SCRIPT.fullmatch(name))}


def _parsed(face: Face) -> TTFFont:
    # Read by one thread: the others wait rather than read the same file.
    with _parsing:
        return _read(face)


@cache
def _read(face: Face) -> TTFFont:
    style = "B" if face == BOLD else ""
    parsed = TTFFont(FPDF(), _file(face), face, style)
    # Everything used later has been read.
    parsed.ttfont.close()
    return parsed
