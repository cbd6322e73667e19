"""The page about outgoing webhooks."""

import pytest
from sqlalchemy import select, update

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outgoing_webhooks import service
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.outgoing_webhooks.signing import secret_of
from billing_core.settings import settings

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def registered(sessions) -> list[tuple[str, list[str]]]:
    with sessions() as session:
        return [(one.url, one.events) for one in service.every(session, SYSTEM)]


def an_address(sessions) -> int:
    with sessions.begin() as session:
        wanted = EndpointDetails("https://erp.example.com/*hook*", ("invoice.paid",))
        return service.register(session, SYSTEM, wanted, private_allowed=False, now=utc_now()).id


@ON_SQLITE
def test_an_address_is_added_and_shows_its_secret_when_asked(page_as, sessions):
    page = page_as("admin").visit("admin/outgoing_webhooks.py")
    assert "No program receives events yet" in page.info[0].value
    page.text_input(key="endpoint_url").set_value("https://erp.example.com/hook")
    page.multiselect(key="endpoint_events").set_value(["invoice.paid", "invoice.sent"])
    page.button(key="endpoint_add").click().run()
    assert not page.exception
    assert registered(sessions) == [("https://erp.example.com/hook", ["invoice.paid", "invoice.sent"])]
    assert not page.code
    page.toggle(key="endpoint_show_secret").set_value(True).run()
    with sessions() as session:
        (one,) = service.every(session, SYSTEM)
    assert page.code[0].value == secret_of(settings().signing_key(), one.public_id, 1)


@ON_SQLITE
def test_an_address_in_our_network_is_refused_where_it_was_typed(page_as, sessions):
    page = page_as("admin").visit("admin/outgoing_webhooks.py")
    page.text_input(key="endpoint_url").set_value("https://192.168.0.1/hook")
    page.button(key="endpoint_add").click().run()
    assert "private network" in page.error[0].value
    assert registered(sessions) == []


@ON_SQLITE
def test_a_test_event_stands_in_the_log_and_a_removed_address_is_gone(page_as, sessions):
    one = an_address(sessions)
    page = page_as("admin").visit("admin/outgoing_webhooks.py", endpoint=str(one))
    page.button(key="endpoint_ping").click().run()
    assert not page.exception
    assert page.dataframe[0].value["Event"][0] == "ping"
    page.button(key="endpoint_remove").click().run()
    assert not page.exception
    assert registered(sessions) == []


@ON_SQLITE
def test_what_failed_shows_on_the_overview_and_is_sent_again_or_laid_aside(page_as, sessions):
    one = an_address(sessions)
    with sessions.begin() as session:
        service.ping(session, SYSTEM, one, now=utc_now())
    for button, became in (("told_again", MessageState.WAITING), ("told_lay_aside", MessageState.RECALLED)):
        with sessions.begin() as session:
            session.execute(update(OutboxMessage).values(state=MessageState.FAILED))
        overview = page_as("admin").visit()
        assert any("1 webhook message not delivered" in text.value for text in overview.markdown)
        page = page_as("admin").visit("admin/outgoing_webhooks.py", endpoint=str(one))
        assert list(page.dataframe[1].value["Failed"]) == ["1"]
        page.button(key=button).click().run()
        assert not page.exception
        assert list(page.dataframe[1].value["Failed"]) == [""]
        with sessions() as session:
            assert session.scalars(select(OutboxMessage.state)).one() is became


@ON_SQLITE
def test_only_administrators_see_the_page(page_as):
    page = page_as("manager").visit("admin/outgoing_webhooks.py")
    assert "Your role does not allow this page" in page.error[0].value
