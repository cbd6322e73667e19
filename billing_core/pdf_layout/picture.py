"""Pictures in PDFs: reduced to their printed size, once for all documents that show them."""

import copy
import hashlib
from functools import lru_cache
from io import BytesIO
from typing import Final

from fpdf import FPDF
from fpdf.image_datastructures import ImageCache, ImageInfo
from fpdf.image_parsing import preload_image
from PIL import Image

_DOTS_A_MILLIMETRE: Final = 300 / 25.4
_FORMATS: Final = ("PNG", "JPEG")


def place(paper: FPDF, content: bytes, x: float, y: float, width: float, height: float) -> bool:
    """Draw a PNG or JPEG as large as it fits into the box, at its upper left; False where it cannot be read."""
    try:
        picture = _prepared(content, round(width * _DOTS_A_MILLIMETRE), round(height * _DOTS_A_MILLIMETRE))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    # A document counts its own uses of a picture.
    mine = copy.copy(picture)
    mine["i"] = len(paper.image_cache.images) + 1
    mine["usages"] = 0
    name = hashlib.sha256(content).hexdigest()
    paper.image_cache.images[name] = mine  # type: ignore[assignment]
    scale = min(width / mine["w"], height / mine["h"])  # type: ignore[operator]
    paper.image(name, x, y, mine["w"] * scale, mine["h"] * scale)  # type: ignore[operator]
    return True


@lru_cache(maxsize=8)
def _prepared(content: bytes, width: int, height: int) -> ImageInfo:
    with Image.open(BytesIO(content), formats=_FORMATS) as opened:
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    picture.thumbnail((width, height), Image.Resampling.LANCZOS)
    picture.info.clear()
    _, _, prepared = preload_image(ImageCache(), picture)
    return prepared
