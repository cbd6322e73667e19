"""Words of files: what is certain is understood, the rest is asked about once, and never billed in silence."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.countries import country_code
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import inbox
from billing_core.imports.received import outcome_json
from billing_core.imports.words import readers
from billing_core.imports.words.answers import Answers, Questions, is_dated
from billing_core.imports.words.cost_types import cost_type_named
from billing_core.imports.words.currencies import currency_named
from billing_core.imports.words.statuses import status_named
from billing_core.orders.models import Order, OrderStatus
from tests.imports.files import case, counts, rejections, row_count

STATUSES = {
    "draft": "draft Quote Entwurf",
    "submitted": "submitted new open CONFIRMED neu bestätigt",
    "processing": "picking in-progress In_Progress processing wc-processing",
    "shipped": "Shipped in_transit dispatched versendet expédiée enviado",
    "delivered": "delivered geliefert",
    "completed": "done fulfilled complete invoiced completed wc-completed",
    "cancelled": "Cancelled canceled void voided storniert annulé",
}


@pytest.mark.parametrize(("status", "words"), STATUSES.items())
def test_words_that_mean_one_status_everywhere_are_understood(status, words):
    assert {status_named(word) for word in words.split()} == {OrderStatus(status)}


@pytest.mark.parametrize(
    "word",
    [
        *("On Hold", "refunded", "partially refunded", "returned", "pending", "paid", "unpaid", "failed", "expired"),
        *("unfulfilled", "partial", "partially_shipped", "closed", "archived", "declined", "received", "", "?", "7"),
    ],
)
def test_what_may_be_cancelled_refunded_or_never_paid_is_asked_about(word):
    assert status_named(word) is None


COUNTRIES = {
    "DE": "Germany|germany|Deutschland|Allemagne|Alemania|de|DEU|Germania|ドイツ|DE - Germany|Germany / Deutschland",
    "GB": "UK|GB|GBR|England|United Kingdom (UK)|  united   kingdom |U.K.|Great Britain (UK)",
    "US": "USA|US|U.S.A.|United States of America|The United States|United States (US)",
    "HK": "Hong Kong SAR|Hong Kong|Hong Kong SAR China",
    "KR": "South Korea|Korea, Republic of|Korea (South)|South Korea (KR)",
    "CI": "Côte d’Ivoire|Cote d'Ivoire|COTE D'IVOIRE|Ivory Coast",
    "VE": "Venezuela|VE|Bolivarian Republic of Venezuela",
    "MX": "Mexico|México|Mexiko|Mexique",
    "CH": "Switzerland|Schweiz|Suisse|Suiza|CHE",
    "CZ": "Czechia|Tschechien|Czech Republic",
    "NL": "Nederland|Netherlands, The|The Netherlands|Holland",
    "AT": "Österreich|Oesterreich|Austria",
    "TR": "Turkey|Türkiye|Tuerkei",
}


@pytest.mark.parametrize(("code", "names"), COUNTRIES.items())
def test_a_country_is_known_by_its_names_and_codes(code, names):
    assert {name: country_code(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), code)


@pytest.mark.parametrize(
    "name", ["Atlantis", "XX", "", "EU", "?", "Korea", "Georgia (US)", "Paris, France", "BE/NL", "The"]
)
def test_what_is_no_country_or_two_has_no_code(name):
    assert country_code(name) is None


CURRENCIES = {
    "EUR": "EUR|eur|€|Euro|euros|EUR €|Euro (EUR)|EUR - Euro",
    "USD": "USD|US$|US Dollar|US Dollars|U.S. Dollar|US-Dollar|USD ($)|$ USD",
    "GBP": "GBP|£|British Pound|Pounds Sterling",
    "CAD": "CAD|CA$|Canadian Dollar|dollar canadien",
    "CHF": "CHF|Swiss Franc|Schweizer Franken",
    "PLN": "zł|PLN",
    "SEK": "SEK|svenska kronor",
}


@pytest.mark.parametrize(("code", "names"), CURRENCIES.items())
def test_a_currency_is_known_by_its_names_signs_and_code(code, names):
    assert {name: currency_named(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), code)


@pytest.mark.parametrize(
    "name", ["$", "kr", "kr.", "¥", "Dollars", "Krone", "Pound", "Rs", "Fr.", "USD/EUR", "CAD (US$)", "", "-"]
)
def test_what_is_the_sign_of_several_currencies_is_none_of_them(name):
    assert currency_named(name) is None


@pytest.mark.parametrize(
    ("cost_type", "words"),
    [
        ("per_order", "per_order|Per Order|orders|/ order|pro Auftrag"),
        ("per_item", "each|per unit|units|Stück|per item|je Stück"),
        ("per_package", "parcel|per package"),
        ("percent_of_services", "percent of services"),
        (None, "carton|box|per kg|%|line|pallet|hour|"),
    ],
)
def test_usual_words_for_what_a_service_is_charged_by(cost_type, words):
    assert {cost_type_named(word) for word in words.split("|")} == {cost_type}


def statuses(sessions) -> dict[str, str]:
    with sessions() as session:
        return {number: status.value for number, status in session.execute(select(Order.number, Order.status))}


@pytest.fixture
def c1(take_in) -> None:
    take_in("customers", "customer_ref,name\nC1,Acme Inc\n")


def test_statuses_of_others_are_asked_about_once_and_remembered(c1, take_in, sessions):
    """1 shipped, 3 cancelled; 2 and 4 to be mapped by the person."""
    file = case("foreign_statuses.csv")
    asked = take_in("orders", file)
    assert [(one.field, one.column, one.word, one.rows) for one in asked.asked] == [
        ("status", "status", "On Hold", 1),
        ("status", "status", "refunded", 1),
    ]
    assert (counts(asked), asked.waiting, asked.refused, asked.applied) == ((2, 0, 0, 0), 2, True, False)
    assert asked.question == "The file has 2 words that are not understood, on 2 rows: say what they stand for"
    assert (asked.rejections, statuses(sessions)) == ([], {})
    assert [one["word"] for one in outcome_json(asked)["asked"]] == ["On Hold", "refunded"]

    half = take_in("orders", file, words=["status:on  hold=submitted"])
    assert ([one.word for one in half.asked], half.applied) == (["refunded"], False)

    done = take_in("orders", file, words=["status:On Hold=submitted", "status:REFUNDED=leave-out"])
    assert (counts(done), done.left_out, done.applied) == ((3, 0, 0, 0), 1, True)
    assert statuses(sessions) == {"1": "shipped", "2": "submitted", "3": "cancelled"}
    with sessions() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert entry.after["left out"] == 1

    again = take_in("orders", file)
    assert (counts(again), again.left_out, again.applied) == ((0, 0, 3, 0), 1, True)


def test_a_word_is_one_however_it_is_written_and_however_many_rows_have_it(c1, take_in):
    rows = [f"{number},C1,2026-01-05,{word}" for number, word in enumerate(["On Hold", "on hold", "ON  HOLD"] * 400)]
    asked = take_in("orders", "\n".join(["order_number,customer_ref,order_date,status", *rows]))
    assert [(one.word, one.rows) for one in asked.asked] == [("On Hold", 1200)]
    assert (asked.waiting, asked.rejected) == (1200, 0)


def test_more_words_than_anybody_answers_are_rejected_with_their_lines(c1, take_in):
    rows = [f"{number},C1,2026-01-05,word {number}" for number in range(203)]
    asked = take_in("orders", "\n".join(["order_number,customer_ref,order_date,status", *rows]))
    assert (len(asked.asked), asked.waiting, asked.rejected) == (200, 200, 3)


def test_a_row_with_another_fault_is_rejected_and_its_word_asked_about(c1, take_in):
    asked = take_in("orders", "order_number,customer_ref,order_date,status\n1,C1,tomorrow,On Hold\n")
    assert ([one.word for one in asked.asked], asked.waiting, asked.rejected) == (["On Hold"], 0, 1)


def test_rows_that_are_left_out_may_hold_anything(c1, take_in, sessions):
    header = "order_number,customer_ref,order_date,status,ship_to_country\n"
    file = f"{header}1,NOBODY,tomorrow,Test,Atlantis\n2,C1,2026-01-05,new,DE\n"
    done = take_in("orders", file, words=["status:test=leave-out"])
    assert (counts(done), done.left_out, done.asked, statuses(sessions)) == ((1, 0, 0, 0), 1, [], {"2": "submitted"})


def test_without_a_status_the_check_says_how_many_orders_would_be_billed(c1, take_in, dry_run, sessions):
    file = case("foreign_statuses.csv")
    assert dry_run("orders", file, "status=").unsaid == 4
    # A blank status is none either, and what is there already has been billed or not by what it is.
    take_in("orders", "order_number,customer_ref,order_date,status\n1,C1,2026-01-05,cancelled\n")
    assert dry_run("orders", file, "status=").unsaid == 3
    blank = "order_number,customer_ref,order_date,status\n1,C1,2026-01-05,\n8,C1,2026-01-05,\n9,C1,2026-01-05,new\n"
    assert dry_run("orders", blank).unsaid == 1


def test_a_shipped_date_can_decide(c1, take_in, sessions):
    file = (
        "OrderID,CustomerID,OrderDate,ShippedDate\n"
        "1,C1,2026-01-05,2026-01-07\n2,C1,2026-01-05,\n3,C1,2026-01-06,1/2/2026\n4,C1,2026-01-06,1900-01-01\n"
    )
    asked = take_in("orders", file, "status=ShippedDate")
    assert [(one.word, one.rows) for one in asked.asked] == [("any date", 2), ("1900-01-01", 1)]

    words = ["status:any date=shipped", "status:=cancelled", "status:1900-01-01=draft"]
    done = take_in("orders", file, "status=ShippedDate", words=words)
    assert (done.applied, done.unsaid) == (True, 0)
    assert statuses(sessions) == {"1": "shipped", "2": "cancelled", "3": "shipped", "4": "draft"}


@pytest.mark.parametrize(
    ("cell", "dated"),
    [
        *(
            (cell, True)
            for cell in ("2026-01-07", "20260107", "7.1.2026", "2026/01/07 13:45:00", "2026-01-07T13:45:00Z")
        ),
        *((cell, True) for cell in ("7 Jan 2026", "January 7, 2026", "07-Jan-2026", "1/31/2026 5:00 PM")),
        *(
            (cell, False)
            for cell in ("", "0000-00-00", "1900-01-01", "9999-12-31", "2026", "1234567890", "shipped", "1.5")
        ),
    ],
)
def test_what_is_a_date_however_it_is_written(cell, dated):
    assert is_dated(cell) is dated


def test_words_of_other_columns_are_answered_too(take_in, sessions):
    header = "customer_ref,name,country,currency,payment_terms\n"
    file = f"{header}A,Alpha,Holland (NL),$,whenever\nB,Beta,Neverland,kr,whenever\n"
    asked = take_in("customers", file)
    assert [(one.field, one.word, one.rows) for one in asked.asked] == [
        ("country", "Neverland", 1),
        ("currency", "$", 1),
        ("currency", "kr", 1),
        ("payment_terms", "whenever", 2),
    ]
    words = [
        "country:Neverland=FI",
        "currency:$=CAD",
        "currency:kr=NOK",
        "payment_terms:whenever=Net 30",
        "name:Beta=Beta Ltd",
    ]
    assert counts(take_in("customers", file, words=words)) == (2, 0, 0, 0)
    with sessions() as session:
        columns = (Customer.name, Customer.country, Customer.currency, Customer.payment_terms)
        assert sorted(map(tuple, session.execute(select(*columns)))) == [
            ("Alpha", "NL", "CAD", "Net 30"),
            ("Beta Ltd", "FI", "NOK", "Net 30"),
        ]


@pytest.mark.parametrize(
    ("kind", "file", "asked"),
    [
        ("services", "service_code,name,cost_type\npick,Picking,per_hour\n", ("cost_type", "per_hour")),
        (
            "plans",
            "plan_code,name,price,interval,included_calls,price_per_call\nx,X,1,0 months,,\n",
            ("interval", "0 months"),
        ),
        ("promo-codes", "code,percent,duration\nX,5,monthly\n", ("duration", "monthly")),
        ("rates", "customer_ref,service_code,unit_price,currency\nC1,x,1,XYZ\n", ("currency", "XYZ")),
        (
            "orders",
            "order_number,customer_ref,order_date,ship_to_country\n1,C1,2026-01-05,Atlantis\n",
            ("ship_to_country", "Atlantis"),
        ),
    ],
)
def test_words_of_other_files_are_asked_about_too(c1, take_in, kind, file, asked):
    refused = take_in(kind, file)
    assert ([(one.field, one.word) for one in refused.asked], refused.rejections, refused.applied) == (
        [asked],
        [],
        False,
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("status:On Hold=parked", "“parked” is not a status"),
        ("order_number:1=", "must not be blank"),
        ("status", "says of no word what it stands for"),
        ("colour:red=blue", "is not a column of orders"),
        ("notes:x=y", "notes is in no column of the file"),
    ],
)
def test_a_word_cannot_stand_for_what_is_no_value(c1, take_in, word, message):
    with pytest.raises(Invalid, match=message):
        take_in("orders", case("foreign_statuses.csv"), words=[word])


def test_the_same_status_for_every_row_is_no_word_of_the_file(c1, take_in):
    refused = take_in("orders", case("foreign_statuses.csv"), "status==On Hold")
    assert (refused.asked, refused.rejected) == ([], 4)


@given(st.lists(st.text(max_size=12), max_size=20), st.text(min_size=1, max_size=12))
def test_a_word_is_answered_for_or_asked_about_and_nothing_else(cells, word):
    answers, questions, counted = Answers([(word, "shipped")]), Questions(), 0
    for cell in cells:
        same = " ".join(cell.split()).casefold() == " ".join(word.split()).casefold()
        assert answers.ours(cell) == ("shipped" if same else cell)
        counted += questions.add(cell)
    asked = questions.asked("status", "Status")
    assert sum(one.rows for one in asked) == counted
    assert all(one.rows >= other.rows for one, other in pairwise(asked))


def test_on_the_page_words_are_chosen_by_field(c1, sessions):
    received = inbox.receive(sessions, SYSTEM, "o.csv", io.BytesIO(case("foreign_statuses.csv")), now=utc_now())
    with sessions.begin() as session:
        inbox.choose_words(session, SYSTEM, received.token, {"status": {"On Hold": "submitted"}})
        inbox.choose_words(session, SYSTEM, received.token, {"status": {"refunded": "cancelled", "on hold": "draft"}})
        (file,) = inbox.files_of(session, SYSTEM)
        with pytest.raises(Invalid, match="is not a status"):
            inbox.choose_words(session, SYSTEM, received.token, {"status": {"x": "parked"}})
    assert file.mapping["status"].words == (("refunded", "cancelled"), ("on hold", "draft"))


def test_it_is_told_how_the_words_were_read(c1, take_in, sessions):
    header = "order_number,customer_ref,order_date,status,ship_to_country,carrier\n"
    file = f"{header}1,C1,2026-01-05,Complete,Georgia,UPS ground\n2,C1,2026-01-05, complete,,ups  Ground\n"
    file += "3,C1,2026-01-05,Test,Georgia,DHL\n4,C1,soon,sent,Georgia,DHL\n"
    told = take_in("orders", file, words=["status:test=leave-out"])
    assert [(one.field, one.word, one.ours, one.rows) for one in told.read] == [
        ("status", "Complete", "completed", 2),
        ("ship_to_country", "Georgia", "GE", 1),
        ("carrier", "UPS ground", "UPS ground", 2),
    ], "those of rows that are neither rejected nor left out"
    assert outcome_json(told)["read"][1]["ours"] == "GE"

    done = take_in(
        "orders", file.replace("soon", "2026-01-06"), words=["status:test=leave-out", "carrier:ups ground=UPS"]
    )
    assert {(one.word, one.ours, one.rows) for one in done.read if one.field == "carrier"} == {
        ("UPS ground", "UPS", 2),
        ("DHL", "DHL", 2),
    }
    with sessions() as session:
        assert list(session.scalars(select(Order.carrier).order_by(Order.number))) == ["UPS", "UPS", "DHL"]


def test_an_asterisk_of_the_file_is_one_and_stands_for_nothing_else(c1, take_in, sessions):
    file = "order_number,customer_ref,order_date,status\n1,C1,2026-01-05,***\n2,C1,2026-01-05,On Hold?\n"
    asked = take_in("orders", file, words=["status:***=cancelled"])
    assert [one.word for one in asked.asked] == ["On Hold?"]
    assert take_in("orders", file, words=["status:***=cancelled", "status:On Hold?=draft"]).applied
    assert statuses(sessions) == {"1": "cancelled", "2": "draft"}
    # Remembered, and changed.
    assert take_in("orders", file, words=["status:***=shipped"]).changed == 1


def test_a_column_of_too_many_different_words_is_not_told(c1, take_in):
    rows = [f"{number},C1,2026-01-05,carrier {number}" for number in range(2_001)]
    told = take_in("orders", "\n".join(["order_number,customer_ref,order_date,carrier", *rows]))
    assert (told.new, told.read) == (2_001, [])


def test_what_no_database_can_hold_is_no_word():
    questions = Questions()
    assert [questions.add(cell) for cell in ("a\0b", "a\ud800", "a\x1bb", "=1+1", "a\tb", "x" * 121)] == [
        *(False, False, False),
        *(True, True),
        False,
    ]
    assert [one.word for one in questions.asked("status", "Status")] == ["=1+1", "a b"]


def test_a_reason_names_what_can_be_said(take_in):
    with pytest.raises(readers.UnknownWord, match="use one of draft, submitted"):
        readers.status("On Hold")
    refused = take_in("customers", "customer_ref,name,country\nA,Alpha," + "x" * 121 + "\n")
    assert (refused.asked, [reason[3][:20] for reason in rejections(refused)]) == ([], ["is not a country; us"])


def test_order_lines_have_no_words_and_cost_nothing(c1, take_in, sessions):
    take_in("orders", "order_number,customer_ref,order_date\nSO-1,C1,2025-03-04\n")
    done = take_in("order-items", "order_number,sku,quantity\nSO-1,A,1\n")
    assert (done.asked, done.left_out, row_count(sessions, Order)) == ([], 0, 1)
