"""Whole files: what they mean, how that is written, and in which form it comes."""

from hypothesis import strategies as st

from tests.imports.generated import contents, forms, shapes, sheets


@st.composite
def files(draw: st.DrawFn, name: str | None = None) -> forms.File:
    """Of the shape of this name, or of any, clean or damaged."""
    shape = draw(shapes.SHAPES[name or draw(st.sampled_from([*shapes.SHAPES]))])
    form = draw(st.sampled_from(["csv", "csv", "csv", "xlsx", "ods"]))
    letters = draw(st.sampled_from(["plain", "western", "western", "polish", "cyrillic", "chinese"]))
    instants = draw(st.integers(0, 4)) == 0
    meant = contents.Drawn(draw, shape, letters, instants).meant()
    damages = draw(st.just([]) | st.lists(st.sampled_from(sheets.DAMAGES), min_size=1, max_size=2))
    sheet = sheets.written(draw, meant, workbook=form != "csv", damages=damages)
    sheet.traits |= {f"letters: {letters}"} | ({"instants"} if instants else set())
    return forms.packed(draw, sheet, form, letters)
