"""Numbers of a series: unique, without holes, also beside numbers of people's own."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from billing_core.businesses import number_format
from billing_core.businesses.models import Business
from billing_core.businesses.number_series import NumberSeries, SeriesKind
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Invalid
from billing_core.invoices import numbering
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.numbering import Drawn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)
KIND = SeriesKind.INVOICE


def _draw(session, count=1, day=DAY):
    return numbering.draw_many(session, default_business(session), KIND, day, count)


def _claim(session, number, day=DAY):
    return numbering.claim(session, default_business(session), KIND, number, day)


def a_second_business(session, **facts) -> Business:
    other = Business(name="Second", currency="EUR", time_zone="UTC", **facts)
    session.add(other)
    session.flush()
    return other


def _lose(session, *numbers: str, business: Business) -> None:
    """Take these numbers out of their series, as no code of ours does."""
    lost = update(Invoice).where(Invoice.business_id == business.id, Invoice.number.in_(numbers))
    session.execute(lost.values(series=None, sequence=None))


def _use(session, *drawn: Drawn, business: Business | None = None) -> None:
    business = business or default_business(session)
    customer = session.query(Customer).first()
    if customer is None:
        customer = Customer(business_id=business.id, ref="C1", name="Carla", currency="USD", created_at=NOW)
        session.add(customer)
        session.flush()
    for one in drawn:
        session.add(
            Invoice(
                business_id=business.id,
                customer_id=customer.id,
                state=InvoiceState.OPEN,
                number=one.number,
                series=one.series,
                sequence=one.sequence,
                currency="USD",
                issued_on=DAY,
                due_on=DAY,
                created_at=NOW,
                created_by="a test",
                updated_at=NOW,
            )
        )
    session.flush()


def test_numbers_follow_each_other_in_the_format_and_start_anew_each_year(session):
    numbers = [drawn.number for drawn in (*_draw(session, 2), *_draw(session), *_draw(session, day=date(2027, 1, 1)))]

    assert numbers == ["INV-2026-001", "INV-2026-002", "INV-2026-003", "INV-2027-001"]


def test_a_failed_save_gives_its_number_back(sessions):
    with sessions.begin() as session:
        assert _draw(session)[0].number == "INV-2026-001"
        session.rollback()
    with sessions.begin() as session:
        assert _draw(session)[0].number == "INV-2026-001"


def test_a_number_of_somebodys_own_is_kept_as_it_is(session):
    assert _claim(session, "  ACME 7/2026 ") == Drawn("ACME 7/2026", None, None)
    _use(session, Drawn("ACME 7/2026", None, None))

    with pytest.raises(Conflict, match="already used"):
        _claim(session, "ACME 7/2026")


def test_the_next_number_of_the_series_may_be_named(session):
    _use(session, _claim(session, "INV-2026-001"))

    assert _draw(session)[0].number == "INV-2026-002"


def test_a_number_ahead_of_its_turn_is_passed_over_later_and_leaves_no_hole(session):
    _use(session, Drawn("INV-2026-003", "INV-2026-{seq}", 3))
    _use(session, *_draw(session, 3))

    (found,) = numbering.series(session)
    assert (found.last, found.used, found.ahead, found.whole) == (4, 4, 0, True)
    assert numbering.holes(session, found) == []


def test_a_number_claimed_for_another_year_has_its_place_once_that_year_comes(session):
    _use(session, Drawn("INV-2027-002", None, None))
    _use(session, *_draw(session, 2, day=date(2027, 1, 4)))

    (found,) = [series for series in numbering.series(session) if series.series == "INV-2027-{seq}"]
    assert (found.last, found.used, found.whole) == (3, 3, True)


def test_a_number_claimed_before_the_format_changed_has_its_place_in_the_new_series(session):
    _use(session, _claim(session, "R-0001"))
    default_business(session).invoice_format = "R-{seq:04}"

    assert _draw(session)[0].number == "R-0002"
    (found,) = [series for series in numbering.series(session) if series.series == "R-{seq}"]
    assert (found.last, found.used) == (2, 1), "0002 is drawn here and not used"


def test_more_or_fewer_zeros_go_on_with_the_same_series(session):
    _use(session, *_draw(session, 2), Drawn("INV-2026-005", "INV-2026-{seq}", 5))
    default_business(session).invoice_format = "INV-{year}-{seq}"
    with pytest.raises(Conflict, match="already used"):
        _claim(session, "INV-2026-2")
    _use(session, *_draw(session, 3))
    default_business(session).invoice_format = "INV-{year}-{seq:04}"
    _use(session, *_draw(session, 1))

    numbers = session.scalars(select(Invoice.number).order_by(Invoice.sequence)).all()
    assert numbers == [
        *("INV-2026-001", "INV-2026-002", "INV-2026-3", "INV-2026-4", "INV-2026-005", "INV-2026-6", "INV-2026-0007"),
    ]
    (found,) = numbering.series(session)
    assert (found.last, found.used, found.whole) == (7, 7, True)
    assert (found.first_number, found.last_number) == ("INV-2026-001", "INV-2026-0007")


@pytest.mark.parametrize(
    ("number", "following"),
    [
        ("INV-2026-004", "INV-2026-003"),
        ("INV-2026-999", "INV-2026-003"),
        ("INV-2026-999999999", "INV-2026-003"),
        ("INV-2026-99999999999999999999", "INV-2026-003"),
        ("inv-2026-00004", "INV-2026-003"),
        ("ＩＮＶ-2026-９", "INV-2026-003"),
        ("INV-2027-002", "INV-2027-001"),
        ("INV-2025-009", "INV-2025-002"),
    ],
)
def test_a_number_ahead_of_its_turn_is_refused_with_the_next_one(session, number, following):
    _use(session, *_draw(session, 1, day=date(2025, 5, 5)), *_draw(session, 2))

    with pytest.raises(Conflict, match=f"ahead of its turn: the next one of its series is {following}$"):
        _claim(session, number)


def test_the_next_number_is_behind_those_that_were_chosen_ahead_before(session):
    _use(session, *_draw(session, 1), Drawn("INV-2026-002", None, None), Drawn("INV-2026-003", "INV-2026-{seq}", 3))

    with pytest.raises(Conflict, match=r"is INV-2026-004$"):
        _claim(session, "INV-2026-005")
    _use(session, _claim(session, "INV-2026-004"))
    _use(session, *_draw(session))
    (found,) = numbering.series(session)
    assert (found.last, found.used, found.last_number) == (5, 5, "INV-2026-005")


def test_a_number_of_a_year_that_was_never_counted_here_is_one_of_its_own(session):
    assert _claim(session, "INV-2019-777") == Drawn("INV-2019-777", None, None)


@pytest.mark.parametrize(
    "again", ["acme-é7", "ACME-É7", "ACME-E\u03017", "  ACME-é7 ", "ＡＣＭＥ-é7", "ACME-é７", "aCmE-É７"]
)
def test_numbers_that_differ_in_case_or_in_how_they_are_written_are_the_same(session, again):
    _use(session, _claim(session, "Acme-é7"))

    with pytest.raises(Conflict, match="already used"):
        _claim(session, again)


def test_the_next_number_in_other_letters_is_written_as_its_series_has_it(session):
    _use(session, *_draw(session, 2))

    assert _claim(session, "inv-2026-3") == Drawn("INV-2026-003", "INV-2026-{seq}", 3)


def test_the_database_itself_refuses_the_same_number_in_other_letters(session):
    _use(session, Drawn("A-1", None, None))

    with pytest.raises(IntegrityError):
        _use(session, Drawn("a-1", None, None))


def test_a_format_in_other_letters_goes_on_with_the_same_series(session):
    _use(session, *_draw(session, 2))
    default_business(session).invoice_format = "inv-{year}-{seq:03}"
    _use(session, *_draw(session, 2))

    numbers = session.scalars(select(Invoice.number).order_by(Invoice.sequence)).all()
    assert numbers == ["INV-2026-001", "INV-2026-002", "inv-2026-003", "inv-2026-004"]
    (found,) = numbering.series(session)
    assert (found.last, found.used, found.whole) == (4, 4, True)


def test_a_hole_is_found_and_named(session):
    _use(session, *_draw(session, 5))
    _lose(session, "INV-2026-002", "INV-2026-005", business=default_business(session))

    (found,) = numbering.series(session)
    assert not found.whole
    assert numbering.holes(session, found) == ["INV-2026-002", "INV-2026-005"]


def test_the_holes_of_one_series_are_not_those_of_another(session):
    """Two years of this business, and of another invoices and credit notes of the same year in the same format: the
    others have what each of them misses.
    """
    alike = "INV-{year}-{seq:03}"
    second = a_second_business(session, invoice_format=alike, credit_note_format=alike)
    _use(session, *_draw(session, 5))
    _use(session, *_draw(session, 6, day=date(2027, 1, 4)))
    _use(session, *numbering.draw_many(session, second, KIND, DAY, 6), business=second)
    _lose(session, "INV-2026-002", "INV-2026-005", business=default_business(session))
    _lose(session, "INV-2026-003", business=second)
    numbering.draw_many(session, second, SeriesKind.CREDIT_NOTE, DAY, 2)

    found = numbering.series(session)

    assert [(one.kind, one.business_id, one.series, one.last, one.used, one.whole) for one in found] == [
        (KIND, 1, "INV-2026-{seq}", 5, 3, False),
        (KIND, 1, "INV-2027-{seq}", 6, 6, True),
        (KIND, second.id, "INV-2026-{seq}", 6, 5, False),
        (SeriesKind.CREDIT_NOTE, second.id, "INV-2026-{seq}", 2, 0, False),
    ]
    assert [numbering.holes(session, one) for one in found] == [
        ["INV-2026-002", "INV-2026-005"],
        [],
        ["INV-2026-003"],
        ["INV-2026-001", "INV-2026-002"],
    ]
    assert numbering.series(session, business_id=second.id) == found[2:]


def test_a_series_of_which_no_number_was_drawn_is_whole(session):
    """Somebody had chosen a number of it that was not its turn, before that was refused: the counter stands at 0."""
    session.add(NumberSeries(business_id=1, kind=KIND, series="INV-2026-{seq}", last=0))
    _use(session, Drawn("INV-2026-007", "INV-2026-{seq}", 7))

    (found,) = numbering.series(session)

    assert (found.last, found.used, found.ahead, found.whole) == (0, 0, 1, True)
    assert (found.first_number, found.last_number) == (None, None)
    assert numbering.holes(session, found) == []


@pytest.mark.parametrize(
    ("lost", "limit", "holes"),
    [
        ([1], 9, [1]),
        ([6], 9, [6]),
        ([1, 2, 5, 6], 9, [1, 2, 5, 6]),
        ([1, 2, 3, 4, 5, 6], 9, [1, 2, 3, 4, 5, 6]),
        ([2, 3, 4, 6], 3, [2, 3, 4]),
        ([2, 3, 4, 6], 2, [2, 3]),
        ([2, 4, 6], 2, [2, 4]),
        ([3, 4, 5, 6], 2, [3, 4]),
        ([1, 2, 3, 4, 5, 6], 2, [1, 2]),
    ],
)
def test_holes_at_the_ends_and_side_by_side_are_named_up_to_the_limit(session, lost, limit, holes):
    _use(session, *_draw(session, 6))
    _use(session, Drawn("INV-2026-009", "INV-2026-{seq}", 9))  # ahead: 7 and 8 are not holes yet
    _lose(session, *(f"INV-2026-00{place}" for place in lost), business=default_business(session))

    (found,) = numbering.series(session)

    assert (found.used, found.ahead, found.whole) == (6 - len(lost), 1, False)
    assert numbering.holes(session, found, limit=limit) == [f"INV-2026-00{place}" for place in holes]


def test_businesses_number_on_their_own(session):
    other = a_second_business(session, invoice_format="B{seq}-{year}")
    _draw(session, 2)

    assert numbering.draw(session, other, KIND, DAY).number == "B1-2026"


@pytest.mark.parametrize("text", ["", "\x00", "=1+1", "a" * 65, "../etc", "x\ny\x07"])
def test_what_cannot_be_a_number_is_refused(session, text):
    with pytest.raises(Invalid):
        _claim(session, text)


@pytest.mark.parametrize("text", ["INV-{year}", "{seq}{seq}", "{month}-{seq}", "={seq}", "{seq", "a{}b{seq}", ""])
def test_a_format_that_makes_no_numbers_is_refused(text):
    with pytest.raises(Invalid):
        number_format.check_format(text)


@pytest.mark.parametrize("text", ["INV-{year}-{seq:03}", "{seq}", "R{seq:6}/{year}"])
def test_a_format_that_makes_numbers_is_kept(text):
    assert number_format.check_format(text) == text
