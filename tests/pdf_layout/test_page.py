"""Text on paper: read back by another library, whatever it is written in."""

import io
import unicodedata
from datetime import UTC, datetime

import pytest
from fpdf import FPDF
from pypdf import PdfReader

from billing_core.pdf_layout import fonts
from billing_core.pdf_layout import text as pdf_layout_text
from billing_core.pdf_layout.fonts import FALLBACKS, FOLDER, KOREAN
from billing_core.pdf_layout.page import Paper
from billing_core.pdf_layout.text import legible

MADE_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def a_paper() -> Paper:
    paper = Paper(made_at=MADE_AT)
    paper.add_page()
    return paper


def written(*texts: str, **how) -> bytes:
    paper = a_paper()
    for place, text in enumerate(texts):
        paper.put(20, 20 + 8 * place, text, **how)
    return paper.content()


def read_back(content: bytes) -> str:
    """Without the spaces of no width by which glyphs are told that stand for no letter of their own."""
    return PdfReader(io.BytesIO(content)).pages[0].extract_text().replace("\u200b", "")


@pytest.mark.parametrize(
    "text",
    [
        "Invoice (1) \\ 100 % – “quoted” … €",
        "Übergröße, Łódź, Çelik, Đặng Nguyễn, Ørsted",
        "Ωμέγα и Жуков",
        "株式会社サンプル 東京本社",
        "배송 주식회사",
        "บริการจัดส่ง",
        "✓ Party 🎉 😀",
    ],
)
@pytest.mark.parametrize("bold", [False, True])
def test_text_can_be_read_back_as_it_was_written(text, bold):
    assert read_back(written(text, bold=bold)).strip() == text


@pytest.mark.parametrize("text", ["شركة المستودعات", "חברת המחסנים", "हिन्दी सेवाएँ"])
def test_shaped_text_keeps_its_letters(text):
    found = unicodedata.normalize("NFKC", read_back(written(text)))
    letters = {letter for letter in text if letter.isalpha()}
    assert letters <= set(found)


@pytest.mark.parametrize("align", ["L", "R", "C"])
def test_shaped_text_stays_on_the_page_however_it_is_aligned(align):
    paper = a_paper()
    paper.put(100, 20, "株式会社", align=align)
    positions = []
    page = PdfReader(io.BytesIO(paper.content())).pages[0]
    page.extract_text(visitor_text=lambda text, _cm, tm, *_: positions.append(tm[4]) if text.strip() else None)
    width = paper.width_of("株式会社", size=9)
    left = {"L": 100, "R": 100 - width, "C": 100 - width / 2}[align]
    assert positions[0] / paper.k == pytest.approx(left, abs=0.2)


def test_characters_that_no_font_has_are_left_out_named_or_marked():
    assert legible("🥳 new") == "new"
    assert legible("Boxes 🧾 and 🚀 rockets") == "Boxes and 🚀 rockets"
    assert legible("🧾") == ":receipt:"
    assert legible("\u20c0 5") == ":som sign: 5"
    # Phags-pa, of the Yuan dynasty.
    assert legible("\ua840\ua841") == "\ufffd\ufffd"
    assert legible("\u2460 \ufdfd"[0]) == "\u2460"


def test_what_says_nothing_is_left_out():
    assert legible("a\x00b\x07c\u200b\ufeffd") == "abcd"
    # Somebody who turns the direction around must not make a file look like another.
    assert legible("invoice\u202efdp.exe") == "invoicefdp.exe"
    assert legible("👩\u200d🚀") == "👩🚀"


def test_white_space_becomes_one_space_and_line_breaks_stay():
    assert legible("a\tb \u3000 c\r\nd\u2028e") == "a b c\nd\ne"
    assert legible("1\u00a0000") == "1\u00a0000"
    assert legible("1\u202f000") == "1\u00a0000"


def test_lines_are_broken_at_spaces_and_long_words_within():
    paper = a_paper()
    text = "one two three " + "W" * 200
    lines = paper.lines(text, 40, size=9)
    assert lines[0] == "one two three"
    assert "".join(lines[1:]) == "W" * 200
    assert all(paper.width_of(line, size=9) <= 40 for line in lines)


def test_chinese_is_broken_without_spaces():
    paper = a_paper()
    lines = paper.lines("東京都千代田区" * 10, 50, size=9)
    assert "".join(lines) == "東京都千代田区" * 10
    assert len(lines) > 2
    assert all(paper.width_of(line, size=9) <= 50 for line in lines)


def test_a_line_too_narrow_for_a_character_still_ends():
    assert a_paper().lines("abc", 0.1, size=9) == ["a", "b", "c"]


def test_the_width_of_a_text_is_what_fpdf2_measures():
    paper, bare = a_paper(), FPDF()
    bare.add_font("bare", "", FOLDER / "DejaVuSansCondensed.ttf")
    bare.set_font("bare", "", 9)
    text = "Übergröße 1.234,50 €"
    assert paper.width_of(text, size=9) == pytest.approx(bare.get_string_width(text))
    bare.fonts["bare"].close()


def test_the_same_text_gives_the_same_bytes():
    texts = ("Übergröße", "株式会社 🎉", "شركة")
    assert written(*texts) == written(*texts)


def test_a_document_does_not_carry_the_characters_of_the_one_before():
    before = len(written("Invoice"))
    written("株式会社 شركة", "".join(map(chr, range(0x4E00, 0x4F00))))
    assert len(written("Invoice")) == before


def test_a_document_carries_only_the_glyphs_that_it_shows():
    assert len(written("Invoice 株式会社")) < 60_000 < (FOLDER / "DroidSansFallbackFull.ttf").stat().st_size


def test_each_font_that_helps_out_draws_what_it_is_asked_for():
    """A font may list characters for which it draws nothing; then another must be asked."""
    samples = {
        "NotoSansThai-Regular": "ก",
        "NotoSansDevanagari-Regular": "अ",
        KOREAN: "배",
        "DroidSansFallbackFull": "株",
        "Symbola": "🎉",
    }
    assert set(samples) == set(FALLBACKS)
    for face, character in samples.items():
        assert next(one for one in FALLBACKS if fonts.has(one, character)) == face
        font = fonts.font(face, 1)
        glyph = font.glyph_ids[ord(character)]
        empty, _ = fonts.cut(face, [])
        with_glyph, _ = fonts.cut(face, [glyph])
        assert len(with_glyph) > len(empty) + 20


def test_plain_text_is_not_shaped():
    assert pdf_layout_text.is_plain("Łódź 1.234,50 €")
    assert not pdf_layout_text.is_plain("שלום")
    assert not pdf_layout_text.is_plain("e\u0301")


def test_pages_are_counted_once_all_are_there():
    paper = a_paper()
    paper.add_page()
    paper.number_pages("Page {page} of {pages}", 20, 280, size=8)
    pages = PdfReader(io.BytesIO(paper.content())).pages
    assert [page.extract_text() for page in pages] == ["Page 1 of 2", "Page 2 of 2"]
