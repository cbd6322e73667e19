"""The page about people."""

import pytest
from sqlalchemy import select

from billing_core.identity import Role
from billing_core.identity.models import OneTimeLink, User, UserSession
from tests.pages.as_read import as_read
from tests.pages.roles import OTHER_ROLES


def invite(page, *, email, name, role):
    page.text_input(key="invite_email").set_value(email)
    page.text_input(key="invite_name").set_value(name)
    page.selectbox(key="invite_role").set_value(role)
    return page.button(key="invite_submit").click().run()


def test_an_invitation_shows_a_link_once(page_as, sessions):
    page = page_as("admin").visit("admin/people.py")
    invite(page, email="Grete@Example.com", name="Grete Meier", role=Role.MANAGER)
    assert not page.exception
    assert page.code[0].value.startswith("http://localhost:8501/auth/welcome?token=")
    page.button(key="one_time_link_done").click().run()
    assert not page.code
    with sessions() as session:
        invited = session.scalars(select(User).where(User.email == "grete@example.com")).one()
        assert (invited.role, invited.password_hash) == (Role.MANAGER, None)


def test_a_wrong_address_is_said_and_changes_nothing(page_as, sessions):
    page = page_as("admin").visit("admin/people.py")
    invite(page, email="nobody", name="Grete", role=Role.FINANCE)
    assert page.error
    with sessions() as session:
        assert session.query(User).count() == 1


def test_a_second_invitation_of_the_same_address_gives_its_reason_once(page_as):
    page = page_as("admin").visit("admin/people.py")
    for _ in range(2):
        invite(page, email="grete@example.com", name="Grete", role=Role.FINANCE)
    assert [as_read(error.value) for error in page.error] == ["grete@example.com already has an account"]
    assert not [caption.value for caption in page.caption if "already has an account" in caption.value]


def test_a_role_changes_and_the_last_administrator_stays(page_as, sessions):
    visitor = page_as("admin")
    page = visitor.visit("admin/people.py", person=str(visitor.user_id))
    page.selectbox(key=f"person_role_{visitor.user_id}").set_value(Role.FINANCE)
    page.button(key="person_change_role").click().run()
    assert "last administrator" in page.error[0].value
    keys = {button.key for button in page.button}
    assert {"person_link", "person_deactivate", "person_revoke_all"} <= keys, "the rest of the panel stays"
    page.button(key="person_deactivate").click().run()
    assert ["last administrator" in error.value for error in page.error] == [True]
    with sessions() as session:
        assert session.get_one(User, visitor.user_id).role is Role.ADMIN


def test_deactivating_ends_sessions_and_reactivating_lets_in_again(page_as, sessions):
    other = page_as("finance").user_id
    page = page_as("admin").visit("admin/people.py", person=str(other))
    page.button(key="person_deactivate").click().run()
    assert not page.exception
    with sessions() as session:
        assert session.get_one(User, other).active is False
        assert session.scalars(select(UserSession).where(UserSession.user_id == other)).one().revoked_at is not None
    page.button(key="person_reactivate").click().run()
    with sessions() as session:
        assert session.get_one(User, other).active is True


def test_a_link_for_a_new_password_is_made(page_as, sessions):
    other = page_as("manager").user_id
    page = page_as("admin").visit("admin/people.py", person=str(other))
    page.button(key="person_link").click().run()
    assert "/auth/welcome?token=" in page.code[0].value
    with sessions() as session:
        assert session.scalars(select(OneTimeLink)).one().user_id == other


def test_sessions_are_revoked(page_as, sessions):
    other = page_as("manager").user_id
    page = page_as("admin").visit("admin/people.py", person=str(other))
    page.button(key="person_revoke_all").click().run()
    assert not page.exception
    with sessions() as session:
        assert session.scalars(select(UserSession).where(UserSession.user_id == other)).one().revoked_at is not None


@pytest.mark.parametrize("person", ["0", "999", "x", "1 OR 1=1", "99999999999999999999"])
def test_an_address_that_leads_nowhere_is_no_accident(page_as, person):
    page = page_as("admin").visit("admin/people.py", person=person)
    assert not page.exception


@OTHER_ROLES
def test_only_administrators_see_people(page_as, role):
    page = page_as(role).visit("admin/people.py")
    assert "Your role does not allow this page" in page.error[0].value
    assert not page.dataframe
