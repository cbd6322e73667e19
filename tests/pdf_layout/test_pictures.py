"""Pages of a PDF as pictures."""

from io import BytesIO

import pytest
from fpdf import FPDF
from PIL import Image

from billing_core.pdf_layout.pictures import pictures


@pytest.fixture
def three_pages() -> bytes:
    """A4, the second one black."""
    pdf = FPDF(unit="pt", format=(595, 842))
    for page in range(3):
        pdf.add_page()
        if page == 1:
            pdf.rect(0, 0, 595, 842, style="F")
    return bytes(pdf.output())


def test_each_page_is_a_picture_of_its_own_up_to_the_most_asked_for(three_pages):
    shown, pages = pictures(three_pages, most=2)

    assert pages == 3
    images = [Image.open(BytesIO(page)).convert("L") for page in shown]
    assert [image.size for image in images] == [(893, 1263), (893, 1263)]
    assert [image.getextrema() for image in images] == [(255, 255), (0, 0)]
