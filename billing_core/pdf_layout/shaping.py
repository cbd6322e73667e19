"""Shaping: which glyphs stand for a line of text, in which order and where.

Letters join, change with their neighbours, move before those that they are written after, and read from right to left;
HarfBuzz knows how. Lengths are in thousandths of the text's size.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Final

import uharfbuzz
from fpdf.bidi import BidiParagraph

from billing_core.pdf_layout import fonts
from billing_core.pdf_layout.fonts import BOLD, REGULAR, Face

# They join letters or keep them apart, and are drawn by no font.
JOINERS: Final = "\u200c\u200d"
_RIGHT_TO_LEFT = {"R", "AL", "AN", "RLE", "RLO", "RLI"}
# Unicode's combining class of the signs that make one of two consonants.
_VIRAMA = 9
# Longer texts are shaped again rather than kept.
_LONGEST_KEPT = 160


@dataclass(frozen=True, slots=True)
class Shape:
    """A glyph, moved by ``right`` and ``up`` from where it would stand; ``meaning`` is the text that it stands for.

    ``width`` is the glyph's own, ``advance`` leads to the next one.
    """

    glyph: int
    meaning: tuple[int, ...]
    width: int
    advance: float
    right: float
    up: float


@dataclass(frozen=True, slots=True)
class Run:
    """What one font draws, from left to right; ``text`` in reading order."""

    face: Face
    text: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """``runs`` from left to right; ``steps`` in reading order: where what cannot be parted begins, and its width."""

    runs: tuple[Run, ...]
    steps: tuple[tuple[int, float], ...]

    @property
    def width(self) -> float:
        return sum(width for _, width in self.steps)


def reads_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def begins_right_to_left(text: str) -> bool | None:
    """Which way its first letter reads; None where there is none, as in figures."""
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((one != "L" for one in strong if one in ("L", "R", "AL")), None)


def shaped(text: str, *, bold: bool) -> Line:
    """A line of legible text."""
    return _kept(text, bold) if len(text) <= _LONGEST_KEPT else _shaped(text, bold)


@lru_cache(maxsize=1024)
def _kept(text: str, bold: bool) -> Line:
    return _shaped(text, bold)


def _shaped(text: str, bold: bool) -> Line:
    levels = _levels(text)
    faces = _faces(text, BOLD if bold else REGULAR)
    runs, steps = [], []
    start = 0
    for (face, level), places in groupby(zip(faces, levels, strict=True)):
        end = start + sum(1 for _ in places)
        run, widths = _set(face, text[start:end], right_to_left=level % 2 == 1)
        runs.append((level, run))
        steps += [(start + place, width) for place, width in widths]
        start = end
    return Line(tuple(_reordered(runs)), tuple(steps))


def _levels(text: str) -> Sequence[int]:
    """How deep each character is embedded: odd levels read from right to left."""
    if not reads_right_to_left(text):
        return [0] * len(text)
    levels = [0] * len(text)
    for character in BidiParagraph(text, preserve_bn_chars=True).get_characters_with_embedding_level():
        levels[character.character_index] = character.embedding_level
    return levels


def _faces(text: str, main: Face) -> list[Face]:
    """The font of each character: one for a whole word where one has all of it, so that its letters can join."""
    faces: list[Face] = []
    for is_space, characters in groupby(text, str.isspace):
        word = "".join(characters)
        if is_space:
            before = faces[-1] if faces and all(fonts.has(faces[-1], space) for space in word) else main
            faces += [before] * len(word)
        else:
            faces += _faces_of_word(word, main)
    return faces


def _faces_of_word(word: str, main: Face) -> list[Face]:
    drawn = [character for character in dict.fromkeys(word) if character not in JOINERS]
    tried = dict.fromkeys((main, *(face for character in drawn for face in fonts.faces_of(character))))
    for face in tried:
        if all(fonts.has(face, character) for character in drawn):
            return [face] * len(word)
    faces: list[Face] = []
    for character in word:
        # Marks stay with their letter.
        if faces and (character in JOINERS or (_is_mark(character) and fonts.has(faces[-1], character))):
            faces.append(faces[-1])
        else:
            faces.append(next((face for face in tried if fonts.has(face, character)), main))
    return faces


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _set(face: Face, text: str, *, right_to_left: bool) -> tuple[Run, list[tuple[int, float]]]:
    """What the font draws for a text of one direction, and its steps."""
    font = fonts.shaper(face)
    buffer = uharfbuzz.Buffer()
    buffer.cluster_level = uharfbuzz.BufferClusterLevel.MONOTONE_CHARACTERS
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if right_to_left else "ltr"
    uharfbuzz.shape(font, buffer)
    scale = 1000 / font.face.upem
    infos, positions = buffer.glyph_infos, buffer.glyph_positions
    starts = sorted({info.cluster for info in infos})
    meanings = {start: tuple(map(ord, text[start:end])) for start, end in pairwise((*starts, len(text)))}
    widths = dict.fromkeys(starts, 0.0)
    shapes = []
    for info, position in zip(infos, positions, strict=True):
        widths[info.cluster] += position.x_advance * scale
        shapes.append(
            Shape(
                info.codepoint,
                # Where several glyphs stand for the same letters, the first one does in the file.
                meanings.pop(info.cluster, ()),
                round(font.get_glyph_h_advance(info.codepoint) * scale),
                position.x_advance * scale,
                position.x_offset * scale,
                position.y_offset * scale,
            )
        )
    return Run(face, text, tuple(shapes)), _steps(text, widths)


def _steps(text: str, widths: Mapping[int, float]) -> list[tuple[int, float]]:
    """The widths, with marks and what is joined by a sign added to the letter before."""
    steps: list[tuple[int, float]] = []
    for start, width in widths.items():
        joined = _is_mark(text[start]) or text[start] in JOINERS or (start and _joins(text[start - 1]))
        if steps and joined:
            steps[-1] = (steps[-1][0], steps[-1][1] + width)
        else:
            steps.append((start, width))
    return steps


def _joins(character: str) -> bool:
    """Whether the next letter belongs to it: after a virama and its like, or a joiner."""
    return character in JOINERS or unicodedata.combining(character) == _VIRAMA


def _reordered(runs: list[tuple[int, Run]]) -> Iterator[Run]:
    """From reading order to left to right: what is embedded deeper is turned around first (Unicode's rule L2)."""
    for level in range(max((level for level, _ in runs), default=0), 0, -1):
        turned: list[tuple[int, Run]] = []
        for deep, group in groupby(runs, lambda one: one[0] >= level):  # noqa: B023
            members = list(group)
            turned += reversed(members) if deep else members
        runs = turned
    return (run for _, run in runs)
