"""The page of reminders: a schedule is rehearsed before it is saved, and texts are looked at before they are."""

from datetime import timedelta

import pytest

from billing_core.businesses.queries import default_business
from billing_core.dates import day_in, utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, service
from billing_core.invoices.models import Invoice
from billing_core.mailing import default_texts, reminder_schedules, wording
from billing_core.mailing.default_texts import Wording
from billing_core.mailing.models import MailKind
from tests.bounces.sent import a_returned_mail
from tests.invoices.company import a_customer, content
from tests.pages.as_read import as_read
from tests.pages.roles import OTHER_ROLES

NOW = utc_now()
TODAY = day_in("UTC", NOW)


@pytest.fixture
def business(sessions):
    with sessions() as session:
        return default_business(session).id


@pytest.fixture
def late(sessions, business):
    """Two invoices that were due 7 days ago, the second held; (ids)."""
    with sessions.begin() as session:
        customer = a_customer(session)
        ids = []
        for _ in range(2):
            issued_on = TODAY - timedelta(days=20)
            facts = {"issued_on": issued_on, "due_on": TODAY - timedelta(days=7)}
            draft = service.create(session, SYSTEM, content(session, customer, **facts), now=NOW - timedelta(days=20))
            ids.append(service.send(session, SYSTEM, draft.id, now=NOW - timedelta(days=20)).id)
        after_sending.hold(session, SYSTEM, ids[1], until=TODAY, reason="Disputed", now=NOW, today=TODAY)
        return ids


def schedule_of(sessions, business):
    with sessions() as session:
        return reminder_schedules.of_business(session, SYSTEM, business)


@pytest.mark.usefixtures("mail_server")
def test_the_next_run_is_rehearsed_while_reminders_are_off(page_as, sessions, business, late):
    page = page_as("admin").visit("admin/reminders.py")
    assert not page.exception
    assert "nothing is sent" in page.info[0].value
    shown = page.dataframe[0].value
    assert [one[0] for one in shown["Outcome"]] == ["Goes out", "Held"]
    assert list(shown["Reminder"]) == ["7 days after the due date"] * 2
    assert "Disputed" in shown["Why not"][1]
    assert not schedule_of(sessions, business).reminds


def test_the_rehearsal_names_addresses_that_mails_came_back_from(page_as, sessions, late):
    with sessions.begin() as session:
        a_returned_mail(session, session.get_one(Invoice, late[0]).customer_id)
    page = page_as("admin").visit("admin/reminders.py")
    assert "A mail came back from ap@acme.example on" in as_read(" ".join(one.value for one in page.warning))


def test_reminders_are_switched_on_with_other_days(page_as, sessions, business):
    page = page_as("admin").visit("admin/reminders.py")
    assert page.button(key="reminders_save").disabled
    page.toggle(key=f"reminds_{business}").set_value(True)
    page.toggle(key=f"reminds_uses_credit_{business}").set_value(True)
    page.multiselect(key=f"reminder_steps_{business}").set_value([-2, 10]).run()
    page.button(key="reminders_save").click().run()
    assert not page.exception
    kept = schedule_of(sessions, business)
    assert (kept.reminds, kept.steps, kept.uses_credit) == (True, (-2, 10), True)


def test_a_schedule_without_days_is_refused_at_its_field(page_as, business):
    page = page_as("admin").visit("admin/reminders.py")
    page.multiselect(key=f"reminder_steps_{business}").set_value([]).run()
    assert any("The days are between 1 and 12" in one.value for one in page.markdown)
    assert page.button(key="reminders_save").disabled


def test_old_invoices_are_reminded_of_only_where_somebody_wants_it(page_as, sessions, business, late):
    page = page_as("admin").visit("admin/reminders.py")
    page.toggle(key=f"reminds_{business}").set_value(True)
    # Both were due 7 days ago: day 3 is over, and no day is today.
    page.multiselect(key=f"reminder_steps_{business}").set_value([3]).run()
    assert page.checkbox(key=f"send_missed_{business}").label.startswith("Also remind of the 2 open invoices")
    assert not page.dataframe
    page.checkbox(key=f"send_missed_{business}").check().run()
    assert list(page.dataframe[0].value["Reminder"]) == ["3 days after the due date"] * 2


def texts_page(page_as):
    page = page_as("admin").visit("admin/reminders.py")
    page.segmented_control(key="part").set_value("Mail texts").run()
    page.selectbox(key="text_kind").set_value(MailKind.REMINDER_LATE)
    page.selectbox(key="text_language").set_value("de").run()
    return page


def test_the_texts_of_a_further_language_are_shown_too(dutch, page_as, business):
    page = page_as("admin").visit("admin/reminders.py")
    page.segmented_control(key="part").set_value("Mail texts").run()
    assert "Nederlands" in page.selectbox(key="text_language").options
    page.selectbox(key="text_kind").set_value(MailKind.REMINDER_DUE)
    page.selectbox(key="text_language").set_value("nl").run()
    assert not page.exception
    assert "Factuur {{ number }} vervalt vandaag" in [one.value for one in page.text_input]


def field(page, name, turn=0):
    kinds = {"subject": page.text_input, "body": page.text_area}
    found = [one for one in kinds[name] if one.key.endswith(f"reminder_late_de_{turn}_{name}")]
    return found[0]


def current(sessions, business):
    with sessions() as session:
        return wording.current(session, SYSTEM, business, MailKind.REMINDER_LATE, "de").wording


def test_a_text_is_previewed_saved_and_given_up_again(page_as, sessions, business):
    page = texts_page(page_as)
    field(page, "subject").set_value("Bitte zahlen Sie {{ number }}").run()
    assert any("Bitte zahlen Sie INV" in as_read(one.value) for one in page.markdown)
    page.button(key="text_save").click().run()
    assert not page.exception
    assert current(sessions, business).subject == "Bitte zahlen Sie {{ number }}"
    page.button(key="text_restore").click().run()
    assert current(sessions, business) == default_texts.of(MailKind.REMINDER_LATE, "de")


def test_a_text_with_an_unknown_value_is_refused_at_its_field(page_as, sessions, business):
    page = texts_page(page_as)
    field(page, "body").set_value("Hallo {{ nobody }}").run()
    assert any("The text has “nobody”" in one.value for one in page.markdown)
    assert page.button(key="text_save").disabled


def test_a_text_that_a_colleague_changed_meanwhile_is_not_overwritten(page_as, sessions, business):
    page = texts_page(page_as)
    with sessions.begin() as session:
        theirs = Wording("Theirs", "Hallo")
        wording.change(session, SYSTEM, business, MailKind.REMINDER_LATE, "de", theirs, drawn_from=None, now=utc_now())
    field(page, "subject").set_value("Mine")
    page.button(key="text_save").click().run()
    assert "Somebody has changed this text" in page.error[0].value
    assert current(sessions, business).subject == "Theirs"


@OTHER_ROLES
def test_only_administrators_see_it(page_as, role):
    assert "Your role does not allow" in page_as(role).visit("admin/reminders.py").error[0].value
