"""Usage: organizations with their month, and one organization's."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from babel import Locale
from sqlalchemy import select

from billing_core.dates import first_of_month, utc_now
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters
from billing_core.metering.archives import service as archives
from billing_core.metering.models import Aggregation, UsageEventKey
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import exceeding
from pages.ui import formats
from pages.usage_sections import events
from tests.pages.pressing import press, tick
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import a_plan, terms
from tests.reports.company import a_customer

pytestmark = pytest.mark.slow

MARCH = datetime(2026, 3, 10, 10, tzinfo=UTC)
HOSTILE = "Acme :red[$5 *Corp*]"


@dataclass(frozen=True)
class Used:
    """ACME, on ``small`` (10 calls included, 0.50 USD for each more), made 12 calls on 10 March 2026 and one on the
    11th; BOLT, on no plan, 3. NEW is on ``small`` and has used nothing.
    """

    acme: int
    bolt: int
    new: int


@pytest.fixture
def used(sessions) -> Used:
    with sessions.begin() as session:
        acme = a_customer(session, "ACME", name=HOSTILE, priced=False)
        bolt = a_customer(session, "BOLT", name="Bolt GmbH", currency="EUR", priced=False)
        new = a_customer(session, "NEW", name="New Inc", priced=False)
        plan = a_plan(session, "small", terms(10, "0.5"))
        for customer in (acme, new):
            plans.put_on(session, SYSTEM, customer, plan, valid_from=date(2026, 1, 1), now=MARCH)
        called(session, "ACME", 12, MARCH)
        called(session, "ACME", 1, MARCH + timedelta(days=1), user="ben")
        called(session, "BOLT", 3, MARCH)
    return Used(acme, bolt, new)


def called(session, ref: str, count: int, at: datetime, *, user: str = "ana", properties: object = None) -> None:
    """A call a second, each of 0.5 seconds."""
    told = [
        {
            "id": f"{user}-{at:%m%d}-{number}",
            "customer_ref": ref,
            "time": (at + timedelta(seconds=number)).isoformat(),
            "user": user,
            "endpoint": "/v1/search",
            "response_time": Decimal("0.5"),
            "properties": properties or {},
        }
        for number in range(count)
    ]
    assert ingestion.record(session, SYSTEM, told, now=utc_now(), atomic=True).accepted == count


def texts(page) -> str:
    drawn = (*page.markdown, *page.caption, *page.info, *page.warning, *page.success, *page.error)
    return "\n".join(element.value for element in drawn)


def rows(table, *columns: str) -> list[list[object]]:
    """The cells of these columns; badges as one text."""
    return [
        [cell if isinstance(cell, str | int) else " ".join(cell) for cell in row]
        for row in table.value[list(columns)].to_numpy(dtype=object).tolist()
    ]


def values(page) -> dict[str, str]:
    return {card.label: card.value.replace(formats.NO_BREAK_SPACE, " ") for card in page.metric}


@EVERY_ROLE
def test_without_usage_the_page_says_how_it_comes_in(page_as, role):
    page = page_as(role).visit("usage.py")

    assert not page.exception
    assert "POST /api/v1/usage/events" in page.info[0].value
    assert any("Import" in button.label for button in page.main.button) == (role == "admin")


def test_a_link_to_a_month_is_the_same_in_every_language(page_as, used, monkeypatch):
    monkeypatch.setattr(formats, "locale", lambda: Locale("de"))
    page = page_as("finance").visit("usage.py")
    page.selectbox(key="usage_month").set_value("2026-03").run()
    assert "März 2026" in page.selectbox(key="usage_month").options
    assert page.query_params["usage_month"] == "2026-03"

    monkeypatch.setattr(formats, "locale", lambda: Locale("fr"))
    page = page_as("finance").visit("usage.py", usage_month="2026-03")
    assert page.selectbox(key="usage_month").value == "2026-03"
    page.selectbox(key="usage_month").set_value("2026-02").run()
    assert page.query_params["usage_month"] == "2026-02"


@EVERY_ROLE
def test_organizations_are_listed_with_what_their_month_comes_to(page_as, used, role):
    page = page_as(role).visit("usage.py", usage_month="March 2026")

    assert not page.exception
    columns = ["Organization", "Plan", "Calls", "Included", "Over", "Cost", "Currency", "Allowance"]
    assert rows(page.dataframe[0], *columns) == [
        [HOSTILE, "small", 13, 10, 3, "1.50", "USD", "Exceeded"],
        ["Bolt GmbH", "", 3, 0, 0, "–", "EUR", "No price"],
        ["New Inc", "small", 0, 10, 0, "0.00", "USD", ""],
    ]
    assert bool(page.main.get("link_button")) == (role != "finance")


def test_a_month_that_goes_on_costs_what_was_used_and_tells_what_minimums_will_add(page_as, sessions):
    with sessions.begin() as session:
        acme = a_customer(session, "ACME", name="Acme", priced=False)
        meters.create(session, SYSTEM, code="gb", name="GB", aggregation=Aggregation.SUM, unit="GB", now=MARCH)
        price = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1)),), minimum=Decimal(100))
        facts = {"agreed": terms(10, "0.5"), "charged": {Metered("gb"): price}}
        plans.create(session, SYSTEM, code="stored", name="Stored", **facts, now=MARCH)
        plans.put_on(session, SYSTEM, acme, "stored", valid_from=date(2026, 1, 1), now=MARCH)
    page = page_as("finance").visit("usage.py", organization=str(acme))
    assert not page.exception
    assert values(page)["Cost so far"] == "0.00 USD"
    assert "leaves out 100.00 USD of minimums" in texts(page).replace(formats.NO_BREAK_SPACE, " ")
    page = page_as("finance").visit("usage.py", organization=str(acme), usage_month="March 2026")
    assert values(page)["Cost"] == "100.00 USD"
    assert "minimums" not in texts(page)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"usage_text": "bolt"}, ["Bolt GmbH"]),
        ({"usage_plan": "small"}, [HOSTILE, "New Inc"]),
        ({"usage_allowance": "Exceeded"}, [HOSTILE]),
        ({"usage_sort": "Calls ↓"}, [HOSTILE, "Bolt GmbH", "New Inc"]),
        ({"usage_sort": "Organization ↓"}, ["New Inc", "Bolt GmbH", HOSTILE]),
    ],
)
def test_filters_in_the_address_narrow_and_sort_the_list(page_as, used, filters, names):
    page = page_as("finance").visit("usage.py", usage_month="March 2026", **filters)

    assert not page.exception
    assert list(page.dataframe[0].value["Organization"]) == names


def test_those_who_exceed_are_looked_for_further_on_demand(page_as, used, monkeypatch):
    monkeypatch.setattr(exceeding, "MOST", 1)
    page = page_as("finance").visit("usage.py", usage_month="March 2026", usage_allowance="Exceeded")
    assert list(page.dataframe[0].value["Organization"]) == [HOSTILE]
    assert "1 organization shown, 1–1 of 3 organizations looked at" in [one.value for one in page.caption]
    page.button(key="usage_next").click().run()
    assert [one.value for one in page.info] == ["None of these: exceeded."]
    page.button(key="usage_first").click().run()
    assert not page.exception
    assert list(page.dataframe[0].value["Organization"]) == [HOSTILE]


def test_a_filter_that_is_too_narrow_says_so(page_as, used):
    page = page_as("finance").visit("usage.py", usage_month="March 2026", usage_text="nobody")
    assert "No organization matches these filters" in page.info[0].value


def test_an_organizations_page_tells_its_month_and_how_its_cost_comes_about(page_as, used):
    page = page_as("finance").visit("usage.py", usage_month="March 2026")
    page = press(page, "Open", row=0)

    assert not page.exception
    assert page.title[0].value == r"Acme :color[\:]red\[\$5 \*Corp\*\]"
    assert values(page) == {
        "API calls": "13",
        "Cost": "1.50 USD",
        "Mean response time": "0.5 s",
    }
    assert "13 calls: 3 beyond what is included, used up on 03/10/2026" in [one.value for one in page.subheader]
    charges = page.dataframe[-1].value
    assert charges[["Days", "Plan", "Used", "Included", "Beyond", "Price", "Cost"]].values.tolist() == [
        ["March 2026", "Small, version 1", "13", "10", "3", "3 × 0.50", "1.50"]
    ]

    table = len(page.dataframe) - 1
    page = press(page, "Explain", row=0, table=table)
    assert not page.exception
    assert "Cost\\: 3 × 0\\.50 = 1\\.50\N{NO-BREAK SPACE}USD, rounded once" in texts(page)
    assert "Sum of its days: 13 calls = the figure ✓" in texts(page)
    assert page.dataframe[-1].value[["Calls", "Users"]].values.tolist() == [[12, 1], [1, 1]]

    # Here the whole page runs, not the dialog alone, so its opener is pressed again with it.
    page.selectbox(key="line_day").set_value(date(2026, 3, 10))
    page = press(page, "Explain", row=0, table=table)
    assert page.dataframe[-1].value.values.tolist() == [["ana", 12]]
    page.selectbox(key="line_user_2026-03-10").set_value("ana")
    page = press(page, "Explain", row=0, table=table)
    assert len(page.dataframe[-1].value) == 12


def test_calls_are_drawn_against_the_allowance_that_they_count_against(page_as, sessions):
    """Ten calls outside of all buckets, of which ten are included, and three in a bucket that includes two."""
    with sessions.begin() as session:
        acme = a_customer(session, "ACME", name="Acme", priced=False)
        facts = {"code": "eu", "name": "Europe", "filters": {"region": ["eu"]}}
        meters.add_bucket(session, SYSTEM, "api_calls", **facts, now=MARCH)
        price = Price("USD", Scheme.PER_UNIT, (Tier(None, Decimal(1)),), included=Decimal(2))
        charged = {Metered("api_calls", "eu"): price}
        plans.create(session, SYSTEM, code="two", name="Two", agreed=terms(10, "0.5"), charged=charged, now=MARCH)
        plans.put_on(session, SYSTEM, acme, "two", valid_from=date(2026, 1, 1), now=MARCH)
        called(session, "ACME", 10, MARCH)
        called(session, "ACME", 3, MARCH + timedelta(days=1), user="eva", properties={"region": "eu"})
    page = page_as("finance").visit("usage.py", organization=str(acme), usage_month="March 2026")
    assert not page.exception
    assert "13 calls: 1 beyond what is included, used up on 03/11/2026" in [one.value for one in page.subheader]

    def drawn():
        table = next(one.value for one in page.dataframe if "Calls so far" in one.value)
        return table[["Calls", "Calls so far", "Included"]].values.tolist()[9:11]

    assert drawn() == [[10, 10, 10], [0, 10, 10]]
    page.button_group(key="usage_course_of").set_value(1).run()
    assert drawn() == [[0, 0, 2], [3, 3, 2]]


def test_usage_on_no_plan_is_a_question_not_nothing(page_as, used):
    page = page_as("finance").visit("usage.py", organization=str(used.bolt), usage_month="March 2026")

    assert not page.exception
    assert "3 of API calls on days on no plan" in page.warning[0].value
    assert values(page)["Cost"] == "–"


def test_users_and_endpoints_with_the_most_calls_are_told(page_as, used):
    page = page_as("finance").visit(
        "usage.py", organization=str(used.acme), usage_month="March 2026", usage_tab="Users and endpoints"
    )

    assert not page.exception
    assert page.dataframe[0].value.values.tolist() == [
        ["ana", 12, "0.5\N{NO-BREAK SPACE}s"],
        ["ben", 1, "0.5\N{NO-BREAK SPACE}s"],
    ]
    assert page.dataframe[1].value[["Endpoint", "Calls"]].values.tolist() == [["/v1/search", 13]]


def test_the_events_of_any_days_are_a_file_for_those_who_may_export(page_as, used):
    address = {"organization": str(used.acme), "usage_month": "March 2026", "usage_tab": "Events"}
    page = page_as("manager").visit("usage.py", **address)
    page.date_input(key="usage_file_First day_2026-03-01").set_value(date(2026, 2, 1)).run()
    assert not page.exception
    of = f"customer_id={used.acme}&start_date=2026-02-01&end_date=2026-03-31"
    addresses = [one.proto.url for one in page.main.get("link_button")]
    assert addresses == [f"/downloads/usage-events.csv?{of}&excel=1", f"/downloads/usage-events.ndjson?{of}"]

    page.date_input(key="usage_file_First day_2026-03-01").set_value(date(2026, 4, 1)).run()
    assert [error.value for error in page.error] == ["The first day lies after the last one"]
    assert not page_as("finance").visit("usage.py", **address).main.get("link_button")


def test_of_an_archived_month_it_says_where_the_events_are(page_as, used, sessions, tmp_path):
    archives.archive(sessions, SYSTEM, date(2026, 3, 1), tmp_path, now=utc_now())
    address = {"organization": str(used.acme), "usage_month": "March 2026", "usage_tab": "Events"}
    page = page_as("finance").visit("usage.py", **address)
    assert not page.exception
    (told,) = [one.value for one in page.info if "archived" in one.value]
    assert told.endswith("has to be brought back first")
    assert not any("No event" in one.value for one in page.info)


def test_an_admin_withdraws_an_event_with_a_reason(page_as, sessions, used):
    address = {"organization": str(used.acme), "usage_month": "March 2026", "usage_tab": "Events"}
    page = page_as("admin").visit("usage.py", **address)
    assert len(page.dataframe[0].value) == 13
    page = tick(page, row=12)
    button_of_ticked(page).click().run()
    page.text_input(key="withdraw_reason").set_value("Told twice")
    # Here the whole page runs, not the dialog alone, so its opener is pressed again with it.
    button_of_ticked(page).click()
    page.button(key="do_withdraw").click().run()

    assert not page.exception
    with sessions() as session:
        withdrawn = select(UsageEventKey.event_id, UsageEventKey.withdrawn_reason).where(
            UsageEventKey.withdrawn_at.is_not(None)
        )
        assert session.execute(withdrawn).all() == [("ben-0311-0", "Told twice")]
    page = page_as("finance").visit("usage.py", **address)
    assert rows(page.dataframe[0], "State")[12] == ["Withdrawn"]
    assert "Withdraw" not in page.dataframe[0].value.columns


def test_events_are_read_on_and_from_the_beginning_for_another_organization_or_month(
    page_as, used, sessions, monkeypatch
):
    monkeypatch.setattr(events, "_SIZE", 5)
    with sessions.begin() as session:
        called(session, "ACME", 6, MARCH - timedelta(days=28), user="eve")

    def visit(customer_id: int):
        return visitor.visit("usage.py", organization=str(customer_id), usage_month="March 2026", usage_tab="Events")

    def shown(page) -> list[str]:
        return list(page.dataframe[0].value["Event"])

    visitor = page_as("admin")
    page = tick(visit(used.acme), row=0)
    assert button_of_ticked(page)
    page.button(key="usage_events_next").click().run()
    assert shown(page) == [f"ana-0310-{number}" for number in (5, 6, 7, 8, 9)]
    # What was ticked is on the page before.
    assert not [one for one in page.main.button if one.label == "Withdraw"]

    assert shown(visit(used.bolt)) == ["ana-0310-0", "ana-0310-1", "ana-0310-2"]
    page = visit(used.acme)
    page.button(key="usage_events_next").click().run()
    page.selectbox(key="usage_month").set_value("2026-02").run()
    assert shown(page)[0] == "eve-0210-0"


def test_where_no_event_follows_the_way_back_is_offered(page_as, used, monkeypatch):
    monkeypatch.setattr(events, "_SIZE", 13)
    address = {"organization": str(used.acme), "usage_month": "March 2026", "usage_tab": "Events"}
    page = page_as("admin").visit("usage.py", **address)
    page.button(key="usage_events_next").click().run()
    assert "No event from that day on" in page.info[0].value
    page.button(key="usage_events_first").click().run()
    assert len(page.dataframe[0].value) == 13


def button_of_ticked(page):
    (button,) = [one for one in page.main.button if one.key and one.key.endswith("_Withdraw_of_ticked")]
    return button


def test_who_is_bound_to_an_organization_sees_it_alone(page_as, used):
    page = page_as("manager", customer_id=used.bolt).visit("usage.py", usage_month="March 2026")
    assert list(page.dataframe[0].value["Organization"]) == ["Bolt GmbH"]
    assert page.selectbox(key="usage_plan").options == ["All plans"]

    page = page_as("manager", customer_id=used.bolt).visit("usage.py", organization=str(used.acme))
    assert [error.value for error in page.error] == [f"There is no customer {used.acme}"]


def test_the_present_month_has_a_forecast_and_who_will_exceed(page_as, sessions):
    today = utc_now().date()
    with sessions.begin() as session:
        acme = a_customer(session, "ACME", priced=False)
        plan = a_plan(session, "small", terms(20, "0.5"))
        plans.put_on(session, SYSTEM, acme, plan, valid_from=date(2026, 1, 1), now=MARCH)
        noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
        for back in range(1, 36):
            called(session, "ACME", 1, noon - timedelta(days=back))
    page = page_as("finance").visit("usage.py")

    assert not page.exception
    row = page.dataframe[0].value.iloc[0]
    days = (first_of_month(today + timedelta(days=31)) - first_of_month(today)).days
    assert row["Calls"] == today.day - 1
    assert row["Forecast"] == str(days)
    assert row["Range"] == "–"
    assert rows(page.dataframe[0], "Allowance") == [["Exceeded" if today.day > 21 else "Will exceed"]]
    assert row["Used up on"] == today.replace(day=21)
