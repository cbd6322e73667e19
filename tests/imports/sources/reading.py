"""Reading made-up files: ``read(content)`` is the layout, the rows with their lines, and what was noticed."""

import io
from pathlib import Path

from billing_core.imports import sources

CASES = Path(__file__).parent.parent / "cases"


def read(content: bytes, chosen=sources.NOTHING_CHOSEN, *, size=3):
    stream = io.BytesIO(content)
    layout = sources.read_layout(stream, chosen)
    notes = sources.Notes()
    rows = [
        (line, row)
        for batch in sources.batches(stream, layout, notes, size=size)
        for line, row in zip(batch.lines, batch.rows, strict=True)
    ]
    return layout, rows, notes
