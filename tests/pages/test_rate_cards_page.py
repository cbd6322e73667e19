"""The page about rate cards: reading, changing, building a condition, trying an order."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest
from babel import Locale
from sqlalchemy import insert, select

from billing_core.customers.models import Customer
from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.orders.models import Order, OrderLine, OrderStatus
from billing_core.rating import queries, service
from billing_core.rating.copying import Own, Whom
from billing_core.rating.models import CostType
from billing_core.rating.pricing import Pricing
from billing_core.reports import service as reports
from pages.ui import formats
from tests.pages.as_read import as_read

NOW = datetime(2026, 5, 1, tzinfo=UTC)
JAN = date(2026, 1, 1)
HEAVY = {"all": [{"field": "weight", "op": "gt", "value": "20"}]}
HOSTILE = "Acme :red[$x$] *Co*"


@pytest.fixture
def database_url(sqlite_url):
    """The services under the page are tested on both databases; the page itself knows none."""
    return sqlite_url


@pytest.fixture
def card(sessions):
    """(customer id, rate id): a customer with one rate under a condition, and an order."""
    with sessions.begin() as session:
        customer = Customer(business_id=1, ref="C1", name=HOSTILE, currency="USD", created_at=NOW)
        other = Customer(business_id=1, ref="C2", name="Beta", currency="USD", created_at=NOW)
        session.add_all([customer, other])
        session.flush()
        pick = service.create_service(
            session, SYSTEM, code="PICK", name="Picking", cost_type=CostType.PER_ITEM, now=NOW
        )
        rate = service.add_rate(
            session,
            SYSTEM,
            customer.id,
            pick.id,
            Pricing(Decimal("1.25"), minimum=Decimal(2), condition=HEAVY),
            valid_from=JAN,
            now=NOW,
        )
        order = Order(
            number="ORD-1",
            customer_id=customer.id,
            order_date=JAN,
            status=OrderStatus.SHIPPED,
            weight=Decimal("12.5"),
        )
        session.add(order)
        session.flush()
        session.add(OrderLine(order_id=order.id, sku="a", sku_key="A", quantity=Decimal(3)))
        return customer.id, rate.id


def rates_of(sessions, customer_id):
    with sessions() as session:
        return queries.versions(session, SYSTEM, customer_id)


def texts(page):
    return [element.value for element in (*page.markdown, *page.caption, *page.info, *page.warning)]


@pytest.mark.parametrize("role", ["finance", "manager", "admin"])
def test_the_empty_page_says_what_to_do(page_as, role):
    page = page_as(role).visit("rate_cards.py")
    assert not page.exception
    assert page.info[0].value == "Choose a customer to see its prices."


@pytest.mark.parametrize("role", ["finance", "manager", "admin"])
def test_everybody_reads_the_card_in_words(page_as, card, role):
    page = page_as(role).visit("rate_cards.py", customer=str(card[0]))
    assert not page.exception
    row = page.dataframe[0].value.iloc[0]
    assert (row["Service"], row["Price"], row["Currency"], row["Minimum"]) == ("Picking", "1.25", "USD", "2.00")
    assert row["When"] == "Weight is above 20"
    assert ("add_rate" in [button.key for button in page.button]) is (role == "admin")


def test_those_who_may_not_change_rates_see_no_fields(page_as, card):
    page = page_as("finance").visit("rate_cards.py", customer=str(card[0]), rate=str(card[1]))
    assert not page.exception
    assert page.dataframe[0].value.iloc[0]["Price"] == "1.25"
    assert not [button for button in page.button if button.key in ("save_rate", "remove_rate", "end_rate")]


def test_a_change_starts_on_a_day_and_keeps_the_condition(page_as, sessions, card):
    customer_id, rate_id = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    page.date_input(key=f"change_from_{rate_id}").set_value(date(2026, 3, 1))
    page.text_input(key=f"rate_{rate_id}_price").set_value("1.500001")
    page.text_input(key=f"rate_{rate_id}_minimum").set_value("")
    page.button(key="save_rate").click().run()

    assert not page.exception
    new, old = rates_of(sessions, customer_id)
    assert (new.unit_price, new.minimum_minor, new.valid_from, new.conditions) == (
        Decimal("1.500001"),
        None,
        date(2026, 3, 1),
        HEAVY,
    )
    assert (old.unit_price, old.valid_to) == (Decimal("1.25"), date(2026, 2, 28))


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("much", "“much” is not a number such as 1234.50"),
        ("", "Enter the price, or 0 if it costs nothing"),
        ("-1", "Unit price: must be from 0 to 9,000,000,000,000"),
        ("1.25", "Nothing would change: the rate has these terms already"),
    ],
)
def test_what_cannot_be_saved_is_said(page_as, sessions, card, price, message):
    customer_id, rate_id = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    page.text_input(key=f"rate_{rate_id}_price").set_value(price)
    page.button(key="save_rate").click().run()
    assert as_read(page.error[0].value) == message
    assert len(rates_of(sessions, customer_id)) == 1


@pytest.mark.parametrize(
    ("language", "written", "typed", "stored"),
    [("de", "1,25", "1.250", "1250"), ("de", "1,25", "8,250", "8.25"), ("en", "1.25", "1,250", "1250")],
)
def test_numbers_are_read_as_the_reader_writes_them(
    page_as, sessions, card, monkeypatch, language, written, typed, stored
):
    """As the table beside them shows them, and as every other field of the dashboard does."""
    monkeypatch.setattr(formats, "locale", lambda: Locale(language))
    customer_id, rate_id = card
    key = f"rate_{rate_id}"
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    assert page.text_input(key=f"{key}_price").value == written
    page.text_input(key=f"{key}_price").set_value("7")
    page.text_input(key=f"{key}_maximum").set_value(typed)
    page.text_input(key=f"{key}_condition_1_value").set_value(typed)
    page.date_input(key=f"change_from_{rate_id}").set_value(JAN)
    page.run()
    shown = formats.decimal(Decimal(stored))
    assert [as_read(one.value) for one in page.caption if "Applies" in one.value] == [
        f":material/rule: Applies: **Weight is above {shown}**"
    ]
    page.button(key="save_rate").click().run()
    assert not [*page.exception, *page.error], page.error
    made = rates_of(sessions, customer_id)[0]
    assert (made.unit_price, Decimal(made.maximum_minor)) == (Decimal(7), Decimal(stored) * 100)
    assert made.conditions == {"all": [{"field": "weight", "op": "gt", "value": stored}]}


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("0.0049", "0.0049 is less than half of the smallest amount, 0.01\xa0USD. An order"),
        ("0.005", ""),
        ("0", ""),
    ],
)
def test_a_price_of_which_one_rounds_to_nothing_is_told(page_as, card, price, told):
    customer_id, rate_id = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    page.text_input(key=f"rate_{rate_id}_price").set_value(price).run()
    said = [as_read(one.value) for one in page.warning if "smallest amount" in as_read(one.value)]
    assert [one[: len(told)] for one in said] == ([told] if told else [])


def test_a_trial_says_of_what_rounds_to_nothing_that_it_does(page_as, sessions, card):
    """3 × 0.001 are 0.003, which is 0.00."""
    customer_id, _ = card
    with sessions.begin() as session:
        made = service.create_service(session, SYSTEM, code="S", name="Stamp", cost_type=CostType.PER_ITEM, now=NOW)
        pricing = Pricing(Decimal("0.001"))
        service.add_rate(session, SYSTEM, customer_id, made.id, pricing, valid_from=JAN, now=NOW)
    page = page_as("finance").visit("rate_cards.py", customer=str(customer_id), rate_tab="Try an order")
    row = page.dataframe[0].value.set_index("Service").loc["Stamp"]
    assert (row["Amount"], row["Why"]) == ("0.00", "Applies to every order; so little that it rounds to nothing")


def test_a_rate_that_a_colleague_changed_meanwhile_is_not_saved_over(page_as, sessions, card):
    customer_id, rate_id = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    with sessions.begin() as session:
        changed = Pricing(Decimal("9.99"), condition=HEAVY)
        service.change_rate(session, SYSTEM, rate_id, changed, starts_on=date(2026, 4, 1), now=NOW)

    page.text_input(key=f"rate_{rate_id}_price").set_value("1.75")
    page.button(key="save_rate").click().run()

    assert not page.exception
    assert page.warning[0].value.startswith("Somebody has changed this rate since you opened it.")
    assert [row.unit_price for row in rates_of(sessions, customer_id)] == [Decimal("9.99"), Decimal("1.25")]

    page.button(key="reopen_rate").click().run()
    page.date_input(key=f"change_from_{rate_id}").set_value(date(2026, 2, 1))
    page.text_input(key=f"rate_{rate_id}_price").set_value("1.75")
    page.button(key="save_rate").click().run()
    assert [row.unit_price for row in rates_of(sessions, customer_id)][1:] == [Decimal("1.75"), Decimal("1.25")]


def test_a_condition_is_built_without_typing_json(page_as, sessions, card):
    customer_id, rate_id = card
    prefix = f"rate_{rate_id}_condition"
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    assert "**Weight is above 20**" in "".join(texts(page))

    page.button(key=f"{prefix}_0_nest").click().run()
    nested = page.session_state[prefix]["root"]["members"][1]["id"]
    page.selectbox(key=f"{prefix}_{nested}_word").set_value("none").run()
    page.button(key=f"{prefix}_{nested}_add").click().run()
    added = page.session_state[prefix]["root"]["members"][1]["members"][0]["id"]
    assert "Not complete yet: must not be empty" in "".join(texts(page))
    page.selectbox(key=f"{prefix}_{added}_op_ship_to_country").set_value("in").run()
    page.text_input(key=f"{prefix}_{added}_value").set_value("Germany; fr").run()
    assert "**Weight is above 20 and none of \\(country is one of DE, FR\\)**" in "".join(texts(page))
    page.button(key="save_rate").click().run()

    assert not page.exception
    assert rates_of(sessions, customer_id)[0].conditions == {
        "all": [
            {"field": "weight", "op": "gt", "value": "20"},
            {"none": [{"field": "ship_to_country", "op": "in", "value": ["DE", "FR"]}]},
        ]
    }


def test_a_comparison_can_be_taken_out_again(page_as, sessions, card):
    customer_id, rate_id = card
    prefix = f"rate_{rate_id}_condition"
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    page.button(key=f"{prefix}_1_remove").click().run()
    assert "**Always**" in "".join(texts(page))
    page.button(key="save_rate").click().run()
    assert rates_of(sessions, customer_id)[0].conditions is None


def test_a_service_that_is_refused_leaves_the_list(page_as, card):
    page = page_as("admin").visit("rate_cards.py", rate_tab="Services")
    page.button(key="create_service").click().run()
    assert "code must have" in page.error[0].value
    assert list(page.dataframe[0].value["Code"]) == ["PICK"]
    assert [button for button in page.button if button.key == "save_service"]


def test_a_service_and_its_first_rate(page_as, sessions, card):
    customer_id, _ = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate_tab="Services")
    page.text_input(key="service_code").set_value("PACK")
    page.text_input(key="service_name").set_value("Packing")
    page.selectbox(key="service_cost_type").set_value(CostType.PER_PACKAGE)
    page.button(key="create_service").click().run()
    assert not page.exception

    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate="new")
    with sessions() as session:
        pack = next(one.id for one in queries.services(session, SYSTEM) if one.code == "PACK")
    page.text_input(key=f"new_{customer_id}_price").set_value("0.75").run()
    # Choosing the service takes away nothing that was typed.
    page.selectbox(key="new_service").set_value(pack)
    page.date_input(key="new_from").set_value(JAN)
    page.run()
    page.text_area(key=f"new_{customer_id}_skus").set_value("b; A\nc")
    page.button(key="save_new_rate").click().run()

    assert not [*page.exception, *page.error], page.error
    made = rates_of(sessions, customer_id)[0]
    assert (made.service_name, made.unit_price, made.skus) == ("Packing", Decimal("0.75"), ["A", "B", "C"])


def test_ending_and_removing(page_as, sessions, card):
    customer_id, rate_id = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    page.date_input(key=f"end_day_{rate_id}").set_value(date(2026, 6, 30))
    page.button(key="end_rate").click().run()
    assert not page.exception
    assert rates_of(sessions, customer_id)[0].valid_to == date(2026, 6, 30)
    page.button(key="remove_rate").click().run()
    assert not page.exception
    assert rates_of(sessions, customer_id) == []


def test_a_rate_that_is_still_to_come_can_be_opened(page_as, sessions, card):
    next_year = date(utc_now().year + 1, 1, 1)
    with sessions.begin() as session:
        terms = Pricing(Decimal("1.50"))
        rate_id = service.change_rate(session, SYSTEM, card[1], terms, starts_on=next_year, now=NOW).id
    page = page_as("admin").visit("rate_cards.py", customer=str(card[0]), rate=str(rate_id))
    assert not page.exception
    assert page.date_input(key=f"end_day_{rate_id}").value == next_year


def test_a_used_price_is_corrected_from_its_first_day_and_the_old_one_is_shown_as_withdrawn(page_as, sessions, card):
    customer_id, rate_id = card
    with sessions.begin() as session:
        for order in session.scalars(select(Order)):
            order.weight = Decimal(25)
        reports.generate(
            session, SYSTEM, customer_id=customer_id, period=Period.month_of(JAN), now=datetime(2026, 2, 2, tzinfo=UTC)
        )
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    page.date_input(key=f"change_from_{rate_id}").set_value(JAN).run()
    assert "Reports already made keep the old price; generate them again to see the difference" in "".join(texts(page))
    page.text_input(key=f"rate_{rate_id}_price").set_value("2.5")
    page.button(key="save_rate").click().run()

    assert not page.exception
    (current,) = rates_of(sessions, customer_id)
    assert (current.unit_price, current.valid_from) == (Decimal("2.5"), JAN)
    versions = page.dataframe[0].value
    assert list(versions["Price"]) == ["2.5", "1.25"]
    assert [day is None or day is pd.NaT for day in versions["Withdrawn"]] == [True, False]

    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id), rate=str(rate_id))
    assert "This version was withdrawn on" in "".join(texts(page))
    assert not [button for button in page.button if button.key in ("save_rate", "remove_rate", "end_rate")]


def test_the_card_is_copied_from_another_customer(page_as, sessions, card):
    customer_id, _ = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id + 1))
    page.selectbox(key="copy_source").set_value(customer_id)
    page.button(key="copy_card").click().run()
    assert not page.exception
    assert [row.service_name for row in rates_of(sessions, customer_id + 1)] == ["Picking"]


def test_the_card_is_copied_to_all_who_have_none_and_then_ends_what_they_have(page_as, sessions, card):
    customer_id, _ = card
    page = page_as("admin").visit("rate_cards.py", customer=str(customer_id))
    page.toggle(key="copy_to_others").set_value(True).run()
    assert [(metric.label, metric.value) for metric in page.metric][:2] == [("Customers", "1"), ("New rates", "1")]
    page.button(key="copy_to_many").click().run()
    assert not page.exception
    assert [row.service_name for row in rates_of(sessions, customer_id + 1)] == ["Picking"]
    assert "Nobody is meant by this." in [info.value for info in page.info]

    page.date_input(key="copy_to_from").set_value(date(2026, 3, 1))
    page.radio(key="copy_whom").set_value(Whom.CHOSEN).run()
    page.multiselect(key="copy_to").set_value([customer_id + 1])
    page.radio(key="copy_own").set_value(Own.END).run()
    page.button(key="copy_to_many").click().run()
    assert not page.exception
    assert len(rates_of(sessions, customer_id + 1)) >= 1


def test_an_order_is_tried_and_says_why(page_as, card):
    page = page_as("finance").visit("rate_cards.py", customer=str(card[0]), rate_tab="Try an order")
    assert not page.exception
    row = page.dataframe[0].value.iloc[0]
    assert (row["Service"], list(row["Charged"]), row["Why"]) == ("Picking", ["No"], "Its condition does not hold")
    shown = "".join(texts(page))
    assert "would cost **nothing**" in shown
    assert "Weight is above 20 (the order: 12\\.5)" in shown
    assert {"Weight: **12\\.5**", "Number of SKUs: **1**", "SKUs: **A**", "Notes: **not known**"} <= set(texts(page))


def test_a_trial_says_what_limits_a_rate_and_that_tiers_have_several_prices(page_as, sessions, card):
    customer_id, _ = card
    tiers = [{"up_to": "2", "unit_price": "0.5"}, {"up_to": None, "unit_price": "0.1"}]
    with sessions.begin() as session:
        for code, pricing in (
            ("ALL", Pricing(Decimal("1.5"))),
            ("SKUS", Pricing(Decimal("2.5"), skus=["A"])),
            ("TIERS", Pricing(Decimal(0), tiers=tiers)),
        ):
            made = service.create_service(session, SYSTEM, code=code, name=code, cost_type=CostType.PER_ITEM, now=NOW)
            service.add_rate(session, SYSTEM, customer_id, made.id, pricing, valid_from=JAN, now=NOW)
    page = page_as("finance").visit("rate_cards.py", customer=str(customer_id), rate_tab="Try an order")
    rows = page.dataframe[0].value.set_index("Service")
    assert dict(rows["Price"].drop("Picking")) == {"ALL": "1.5", "SKUS": "2.5", "TIERS": "2 prices"}
    assert dict(rows["Why"].drop("Picking")) == {
        "ALL": "Applies to every order",
        "SKUS": "A line has one of its SKUs",
        "TIERS": "Applies to every order",
    }
    # 3 × 1.50, 3 × 2.50, and 2 × 0.50 + 1 × 0.10.
    assert dict(rows["Amount"].drop("Picking")) == {"ALL": "4.50", "SKUS": "7.50", "TIERS": "1.10"}


def test_a_search_without_orders_says_so(page_as, card):
    page = page_as("finance").visit("rate_cards.py", customer=str(card[0]), rate_tab="Try an order")
    page.text_input(key="order_search").set_value("no such").run()
    assert page.info[0].value == "No order matches the search."


def test_a_customer_beyond_the_first_thousand_is_found_by_searching(page_as, sessions, card):
    with sessions.begin() as session:
        session.execute(
            insert(Customer),
            [
                {"business_id": 1, "ref": f"N{number}", "name": f"Alpha {number}", "currency": "USD", "created_at": NOW}
                for number in range(1_500)
            ],
        )
        wanted = session.scalars(select(Customer.id).where(Customer.ref == "N1499")).one()
    page = page_as("admin").visit("rate_cards.py")
    assert len(page.selectbox(key="rate_card_customer").options) == 50
    assert "The first 50 by name are offered; search to find others." in texts(page)

    page.text_input(key="customer_search").set_value("n1499").run()
    assert page.selectbox(key="rate_card_customer").options == ["Alpha 1499"]
    page.selectbox(key="rate_card_customer").set_value(wanted).run()
    assert page.query_params["customer"] == str(wanted)
    # Another search keeps the customer that is open, and the address still names it.
    page.text_input(key="customer_search").set_value("beta").run()
    assert not page.exception
    assert page.selectbox(key="rate_card_customer").value == wanted
    assert page.selectbox(key="rate_card_customer").options == ["Alpha 1499", "Beta"]

    page.text_input(key="copy_search").set_value("C1").run()
    page.selectbox(key="copy_source").set_value(card[0])
    page.button(key="copy_card").click().run()
    assert not page.exception
    assert [row.service_name for row in rates_of(sessions, wanted)] == ["Picking"]


def test_an_address_names_a_customer_far_down_the_list(page_as, sessions, card):
    with sessions.begin() as session:
        last = Customer(business_id=1, ref="LAST", name="Zulu", currency="USD", created_at=NOW)
        session.add(last)
        session.add_all(
            Customer(business_id=1, ref=f"N{number}", name=f"Alpha {number}", currency="USD", created_at=NOW)
            for number in range(60)
        )
    page = page_as("finance").visit("rate_cards.py", customer=str(last.id))
    assert page.selectbox(key="rate_card_customer").value == last.id
    assert page.selectbox(key="rate_card_customer").options[0] == "Zulu"


def test_addresses_that_make_no_sense_are_answered(page_as, card):
    visitor = page_as("admin")
    for query in ({"customer": "x"}, {"customer": "999"}, {"rate": "x"}, {"rate": "999"}):
        page = visitor.visit("rate_cards.py", **({"customer": str(card[0])} | query))
        assert not page.exception
