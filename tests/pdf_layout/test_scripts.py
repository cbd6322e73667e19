"""Scripts of the world on paper: none prints as boxes, letters are joined and moved as they have to be."""

import io
import unicodedata
from datetime import UTC, datetime
from itertools import pairwise

import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from fpdf.unicode_script import UNICODE_RANGE_TO_SCRIPT, UnicodeScript
from pypdf import PdfReader

from billing_core.pdf_layout.page import Paper
from billing_core.pdf_layout.shaping import shaped
from billing_core.pdf_layout.text import legible, unprintable
from tests.pdf_layout.on_paper import faults

WORDS = {
    "Bengali": "বাংলাদেশ শ্রীমতী কর্পোরেশন",
    "Tamil": "தமிழ் நிறுவனம் கொழும்பு",
    "Gujarati": "ગુજરાતી ક્ષત્રિય કંપની",
    "Gurmukhi": "ਪੰਜਾਬੀ ਸੰਸਥਾ ਅੰਮ੍ਰਿਤਸਰ",
    "Sinhala": "ශ්‍රී ලංකා සමාගම",
    "Khmer": "ក្រុមហ៊ុន ភ្នំពេញ",
    "Burmese": "မြန်မာ ကုမ္ပဏီ ကျွန်ုပ်",
    "Amharic": "ኢትዮጵያ አዲስ አበባ",
    "Telugu": "తెలుగు సంస్థ క్షేత్రం",
    "Kannada": "ಕನ್ನಡ ಸಂಸ್ಥೆ",
    "Malayalam": "മലയാളം ക്ഷേത്രം",
    "Odia": "ଓଡ଼ିଆ ଭୁବନେଶ୍ୱର",
    "Hindi": "हिन्दी क्षत्रिय सेवाएँ",
    "Thai": "บริษัท จำกัด น้ำ",
    "Lao": "ບໍລິສັດ ວຽງຈັນ",
    "Tibetan": "བོད་ཡིག་ ལྷ་ས",
    "Georgian": "ქართული ᲗᲑᲘᲚᲘᲡᲘ",
    "Armenian": "Հայերեն ընկերություն",
    "Javanese": "ꦧꦱꦗꦮ",
    "Cherokee": "ᏣᎳᎩ",
    "Inuktitut": "ᐃᓄᒃᑎᑐᑦ",
    "several": "ACME-বাংলা/হিন্দি, 株式会社 배송 (X)",
}
FROM_RIGHT_TO_LEFT = {"Hebrew": "חברת המחסנים", "Arabic": "شركة المستودعات", "Persian": "می‌خواهم", "Dhivehi": "ދިވެހި"}

# What HarfBuzz's own hb-shape makes of these words with the same fonts: ids of glyphs. The vowel that is
# written after its consonant stands before it, consonants become one, and what surrounds a letter does so.
BY_HB_SHAPE = [
    ("শ্রীমতী", [232, 56, 44, 35, 56]),
    ("কর্পোরেশন", [20, 61, 40, 131, 54, 61, 46, 48, 39]),
    ("கொழும்பு", [46, 18, 41, 153, 88, 131]),
    ("ક્ષત્રિય", [129, 629, 219, 46]),
    ("ਪ੍ਰਿੰਟ", [52, 37, 111, 77, 27]),
    ("ශ්‍රී", [350, 167]),
    ("ស្រ្តី", [196, 59, 180, 85]),
    ("ភ្នំពេញ", [51, 185, 113, 107, 50, 34]),
    ("ကြိုင်", [200, 4, 369, 210, 8, 381]),
    ("ኢትዮጵያ", [202, 427, 539, 311, 534]),
    ("ക്ഷേത്രം", [72, 167, 162, 38, 6]),
    ("క్షేత్రం", [326, 38, 567, 6]),
    ("ಸಂಸ್ಥೆ", [56, 6, 270, 112]),
    ("ଭୁବନେଶ୍ୱର", [43, 63, 42, 69, 39, 359, 46]),
]

# No living language is written in these, or hardly any: their characters are named where they are typed.
WITHOUT_FONT = set(
    "AHOM ANATOLIAN_HIEROGLYPHS AVESTAN BHAIKSUKI BRAHMI CARIAN CAUCASIAN_ALBANIAN CHORASMIAN CUNEIFORM CYPRIOT "
    "CYPRO_MINOAN DIVES_AKURU DOGRA DUPLOYAN EGYPTIAN_HIEROGLYPHS ELBASAN ELYMAIC GLAGOLITIC GOTHIC GRANTHA HATRAN "
    "IMPERIAL_ARAMAIC INSCRIPTIONAL_PAHLAVI INSCRIPTIONAL_PARTHIAN KAITHI KHAROSHTHI KHITAN_SMALL_SCRIPT KHOJKI "
    "KHUDAWADI LINEAR_A LINEAR_B LYCIAN LYDIAN MAHAJANI MAKASAR MANICHAEAN MARCHEN MEROITIC_CURSIVE "
    "MEROITIC_HIEROGLYPHS MODI MULTANI NABATAEAN NANDINAGARI NUSHU OLD_HUNGARIAN OLD_NORTH_ARABIAN OLD_PERMIC "
    "OLD_PERSIAN OLD_SOGDIAN OLD_SOUTH_ARABIAN OLD_TURKIC OLD_UYGHUR PALMYRENE PHAGS_PA PHOENICIAN PSALTER_PAHLAVI "
    "RUNIC SHARADA SHAVIAN SIDDHAM SIGNWRITING SOGDIAN SOYOMBO TAKRI TANGSA TANGUT TIRHUTA TOTO UGARITIC VITHKUQI "
    "YEZIDI ZANABAZAR_SQUARE".split()
)
# Unicode has added these since the Python that the product runs on knows it.
NEWER = {"GARAY", "GURUNG_KHEMA", "KAWI", "KIRAT_RAI", "NAG_MUNDARI", "OL_ONAL", "SUNUWAR", "TODHRI", "TULU_TIGALARI"}


def on_paper(text: str, *, bold: bool = False) -> bytes:
    paper = Paper(made_at=datetime(2026, 3, 1, tzinfo=UTC))
    paper.add_page()
    paper.put(20, 20, text, bold=bold)
    return paper.content()


def read_back(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    try:
        return document[0].get_textpage().get_text_range()
    finally:
        document.close()


def drawn_glyphs(content: bytes) -> list[tuple[int, bool]]:
    """Each glyph that the page may draw, as its own fonts have it: its number, and whether it has an outline."""
    found = []
    for font in PdfReader(io.BytesIO(content)).pages[0]["/Resources"]["/Font"].values():
        inner = font["/DescendantFonts"][0].get_object()
        outlines = TTFont(io.BytesIO(inner["/FontDescriptor"]["/FontFile2"].get_data()))
        glyphs = inner["/CIDToGIDMap"].get_object().get_data()
        # Code 32 stands for the space in every font.
        for code in range(1, len(glyphs) // 2):
            if code != 32 and (glyph := int.from_bytes(glyphs[2 * code : 2 * code + 2], "big")):
                name = outlines.getGlyphOrder()[glyph]
                found.append((glyph, outlines["glyf"][name].numberOfContours != 0))
    return found


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("bold", [False, True])
def test_a_script_is_drawn_and_can_be_copied(language, bold):
    text = WORDS[language]
    content = on_paper(text, bold=bold)
    assert unprintable(text) == []
    assert read_back(content) == text
    letters = {letter for letter in text if unicodedata.category(letter)[0] == "L"}
    # A consonant that joins another has a glyph of both.
    assert sum(outlined for _, outlined in drawn_glyphs(content)) >= len(letters) / 2
    assert faults(content) == []


@pytest.mark.parametrize("language", FROM_RIGHT_TO_LEFT)
def test_a_script_that_reads_from_right_to_left_is_drawn(language):
    text = FROM_RIGHT_TO_LEFT[language]
    assert unprintable(text) == []
    found = unicodedata.normalize("NFKC", read_back(on_paper(text)))
    assert {letter for letter in text if letter.isalpha()} <= set(found)


def test_nothing_is_drawn_as_a_box():
    for text in (*WORDS.values(), *FROM_RIGHT_TO_LEFT.values()):
        for bold in (False, True):
            assert 0 not in [shape.glyph for run in shaped(legible(text), bold=bold).runs for shape in run.shapes], text


@pytest.mark.parametrize(("text", "glyphs"), BY_HB_SHAPE)
def test_letters_join_and_move_as_hb_shape_has_it(text, glyphs):
    (run,) = shaped(legible(text), bold=False).runs
    assert [shape.glyph for shape in run.shapes] == glyphs


def test_every_script_of_a_living_language_has_a_font():
    missing = {script.name for script in UnicodeScript} - {"UNKNOWN"} - NEWER
    for first, last, script in UNICODE_RANGE_TO_SCRIPT:
        letters = (chr(place) for place in range(first, min(last, first + 400) + 1))
        if UnicodeScript(script).name in missing and any(
            unicodedata.category(letter)[0] in "LMNS" and not unprintable(letter) for letter in letters
        ):
            missing.discard(UnicodeScript(script).name)
    assert missing == WITHOUT_FONT


def test_a_word_keeps_one_font_so_that_its_letters_can_join():
    # Of the Georgian capitals DejaVu has none, of the small letters all.
    assert len(shaped("თᲗ", bold=False).runs) == 1
    assert len(shaped("ACME-বাংলা", bold=False).runs) == 2


def test_digits_in_a_text_from_right_to_left_stay_in_their_order():
    # "12 of שלום" by hand: the Hebrew letters turned around, the number on their left.
    runs = shaped("שלום 12", bold=False).runs
    assert [run.text for run in runs] == ["12", "שלום "]
    assert [chr(shape.meaning[0]) for shape in runs[1].shapes] == [" ", "ם", "ו", "ל", "ש"]


def test_lines_are_never_broken_within_a_syllable():
    paper = Paper(made_at=datetime(2026, 3, 1, tzinfo=UTC))
    for word in ("ក្រុមហ៊ុន", "ကျွန်ုပ်", "ক্ষত্রিয়", "ශ්‍රී"):
        lines = paper.lines(word * 12, 12, size=9)
        assert "".join(lines) == word * 12
        assert len(lines) > 2
        for line, following in pairwise(lines):
            assert unicodedata.category(following[0])[0] != "M"
            assert unicodedata.combining(line[-1]) != 9


def test_what_no_font_has_is_told():
    assert unprintable("Łódź শ্রীমতী 株式会社 شركة ﷺ № ½\n\u200b\u00ad") == []
    assert unprintable("\ua840\ua841\ua840 GmbH") == ["\ua840", "\ua841"]
    assert unprintable("Café 🥳 👩\u200d🚀") == ["🥳"]
    assert unprintable("5 \u20c0") == ["\u20c0"]
    # Of private use, or newer than what is known of Unicode.
    assert unprintable("a\ue000\U00010d4a") == ["\ue000", "\U00010d4a"]
    assert unprintable("\x07") == []
