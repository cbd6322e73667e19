"""A PDF's pages as pictures, for where a browser shows no PDF: inside a page, and on phones."""

from io import BytesIO
from threading import Lock
from typing import Final

import pypdfium2

# Pixels per point: sharp at half a screen's width.
_SCALE: Final = 1.5
# The library is not thread-safe.
_one_at_a_time = Lock()


def pictures(pdf: bytes, *, most: int) -> tuple[list[bytes], int]:
    """The first ``most`` pages as PNG, and how many pages there are."""
    with _one_at_a_time:
        document = pypdfium2.PdfDocument(pdf)
        try:
            pages = len(document)
            drawn = [document[at].render(scale=_SCALE).to_pil() for at in range(min(pages, most))]
        finally:
            document.close()
    images = []
    for image in drawn:
        png = BytesIO()
        image.save(png, "PNG", compress_level=1)
        images.append(png.getvalue())
    return images, pages
