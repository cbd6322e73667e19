"""Whatever a file looks like: what is stored of it is what was meant, or it is asked about, or refused."""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from billing_core.businesses.queries import default_business
from tests.arrivals import arriving
from tests.imports.generated import shapes, sheets, taking_in
from tests.imports.generated.contents import CUSTOMERS, ORDERS, SERVICES
from tests.imports.generated.files import files
from tests.imports.generated.meanings import ZONE

# Of each shape, in a search: ``FILES=100 python -m pytest tests/imports/generated -k "many and sqlite"``.
MANY = int(os.environ.get("FILES", "0"))
FEW = 24
# Of the files that are not damaged, at least so many in a hundred go in.
CLEAN_GO_IN = 60
ENDS = ("in at once", "in after an answer", "refused", "refused for damage", "in though damaged")
ASKED = ("which kind", "columns", "reading point", "reading comma", "reading day-first", "reading month-first")
FORMS = ("form: csv", "form: xlsx", "form: ods", "archive: gz", "archive: zip", "around: totals", "no header")


@pytest.fixture
def before(sessions, take_in):
    """A company with customers, services and orders, far from Greenwich."""
    with sessions.begin() as session:
        default_business(session).time_zone = ZONE
    customers = "".join(f"{ref},{ref} Ltd,{currency}\n" for ref, currency in CUSTOMERS.items())
    take_in("customers", f"customer_ref,name,currency\n{customers}")
    services = "".join(f"{code},{code},per_item\n" for code in SERVICES)
    take_in("services", f"service_code,name,cost_type\n{services}")
    orders = "".join(f"{number},C-100,2026-01-05\n" for number in ORDERS)
    take_in("orders", f"order_number,customer_ref,order_date\n{orders}")
    with sessions() as session:
        return taking_in.stored(session)


@pytest.mark.drawn
def test_what_is_stored_of_a_few_files_is_what_was_meant(sessions, before):
    with arriving(("in at once",)) as arrived:
        agree(sessions, before, files(), FEW, arrived, {"in at once"})


@pytest.mark.skipif(not MANY, reason="a search, which takes as long as it is told to")
@pytest.mark.later
@pytest.mark.drawn
def test_what_is_stored_of_many_files_is_what_was_meant(sessions, before):
    """Of each shape some go in."""
    damages = {f"damage: {damage}" for damage in sheets.DAMAGES}
    steps = {*ENDS, *ASKED, *FORMS, *damages}
    clean = Counter()
    with arriving(sorted(steps | shapes.SHAPES.keys())) as arrived:
        for name in shapes.SHAPES:
            of_shape = agree(sessions, before, files(name), MANY, arrived, steps)
            clean += of_shape
            if of_shape["in"]:
                arrived(name)
    assert clean["in"] * 100 >= CLEAN_GO_IN * clean.total(), clean


def agree(sessions, before, drawn, count, arrived, steps):
    """How many of the files that are not damaged went in, and how many were refused."""
    clean = Counter()

    # The same on each run, unless it searches: whoever changes something else is not to meet what nobody knew.
    @settings(
        max_examples=count,
        derandomize=not MANY,
        phases=[Phase.generate],  # to make a whole file smaller takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def agrees(file):
        taken = taken_in(sessions, file, before)
        sheet = file.sheet
        if taken.stored is not None and not names_a_row(sheet, taken):
            assert not file.broken
            assert taken.used.keys() == sheet.meant.shape.kinds.keys()
            expected = sheet.meant.stored(taken.used)
            found = {kind: rows for kind, rows in taken.stored.items() if rows or kind in expected}
            assert found == expected, taken
        if not sheet.damaged and not file.broken:
            clean["refused" if taken.stored is None else "in"] += 1
        for happened in {*sheet.traits, *taken.asked, *ends(file, taken)} & steps:
            arrived(happened)

    agrees()
    return clean


def taken_in(sessions, file, before):
    """Where the letters were guessed, a person sees the names, and says how they are meant."""
    taken = taking_in.take_in(sessions, file, before)
    if any(note.startswith("The letters were read as") for note in taken.told):
        return taking_in.take_in(sessions, file, before, encoding=file.encoding)
    return taken


def names_a_row(sheet, taken):
    """Whether a row is left out for a total, as a town called Sum may make it look: the check names it."""
    firsts = {next((str(cell) for cell in row if cell != ""), "").strip() for row in sheet.rows}
    return bool(firsts & set(taken.left_out))


def ends(file, taken):
    damaged = file.sheet.damaged or file.broken
    if taken.stored is None:
        return {"refused", *(("refused for damage",) if damaged else ())}
    return {"in after an answer" if taken.asked else "in at once", *(("in though damaged",) if damaged else ())}
