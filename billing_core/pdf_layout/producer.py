"""Writes a document's fonts into the file: the same objects as fpdf2's own, from glyphs cut by HarfBuzz.

This replaces a method of fpdf2, which cuts each font anew for each document with fontTools. That takes twenty times as
long as the rest of an invoice, and even fonts reduced to the Latin letters beforehand come to no more than 66 invoices
a second.
"""

import struct
from typing import Any
from zlib import crc32

from fpdf.fonts import Glyph, SubsetMap, TTFFont
from fpdf.output import CIDSystemInfo, OutputProducer, PDFFont, PDFFontStream, PDFType3Font
from fpdf.syntax import Name, PDFArray, PDFContentStream

from billing_core.pdf_layout import fonts

_CODES_A_BLOCK = 100


class Producer(OutputProducer):
    """The argument of ``FPDF.output``; every font of the document is one of ``pdf_layout.fonts``."""

    def _add_fonts(self, *_: Any) -> dict[int, PDFFont | PDFType3Font]:
        embedded: dict[int, PDFFont | PDFType3Font] = {
            font.i: self._embedded(font) for font in self.fpdf.fonts.values() if isinstance(font, TTFFont)
        }
        # fpdf2 caches every glyph of every document until the cache is cleared.
        SubsetMap.pick.cache_clear()
        SubsetMap.get_glyph.cache_clear()
        return embedded

    def _embedded(self, font: TTFFont) -> PDFFont:
        # Code 0 stands for what a font lacks; fpdf2 gives it a glyph that may be anything.
        used = {code: glyph for glyph, code in font.subset.items() if glyph is not None and code}
        program, new_id_of = fonts.cut(font.fontkey, (glyph.glyph_id for glyph in used.values()))

        new_ids, widths = [0] * (max(used) + 1), [0] * (max(used) + 1)
        for code, glyph in used.items():
            new_ids[code], widths[code] = new_id_of[glyph.glyph_id], round(glyph.glyph_width)
        glyph_of_code = struct.pack(f">{len(new_ids)}H", *new_ids)
        name = f"{_tag(glyph_of_code)}+{font.name}"

        stream = PDFFontStream(program)
        descriptor = font.desc
        descriptor.font_name = Name(name)
        # Every attribute of such an object becomes an entry of it in the file: /FontFile2.
        setattr(descriptor, "font_file2", stream)  # noqa: B010
        listed_widths = f"[0 [{' '.join(map(str, widths))}]]"
        characters = PDFFont("CIDFontType2", name, d_w=descriptor.missing_width, w=listed_widths)
        characters.c_i_d_system_info = CIDSystemInfo()
        characters.font_descriptor = descriptor
        characters.c_i_d_to_g_i_d_map = PDFContentStream(glyph_of_code, compress=True)

        whole = PDFFont("Type0", name, encoding="Identity-H")
        whole.descendant_fonts = PDFArray([characters])
        whole.to_unicode = PDFContentStream(_meanings(used), compress=True)
        for part in (
            *(stream, descriptor, characters.c_i_d_system_info, characters.c_i_d_to_g_i_d_map),
            *(characters, whole.to_unicode, whole),
        ):
            self._add_pdf_obj(part, "fonts")
        return whole


def _tag(glyph_of_code: bytes) -> str:
    """Six capital letters that distinguish subsets, so that merged files keep them apart."""
    number = crc32(glyph_of_code)
    return "".join(chr(65 + (number >> 5 * place) % 26) for place in range(6))


def _meanings(used: dict[int, Glyph]) -> bytes:
    """The text of each code, which makes the document searchable and lets text be copied."""
    lines = [
        f"<{code:04X}> <{''.join(map(chr, glyph.unicode)).encode('utf-16-be').hex().upper()}>\n"
        for code, glyph in sorted(used.items())
        if isinstance(glyph.unicode, tuple) and glyph.unicode
    ]
    blocks = (lines[start : start + _CODES_A_BLOCK] for start in range(0, len(lines), _CODES_A_BLOCK))
    listed = "".join(f"{len(block)} beginbfchar\n{''.join(block)}endbfchar\n" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{listed}endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode("ascii")
