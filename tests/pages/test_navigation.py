"""The menu, and who sees what of it."""

from tests.pages.roles import EVERY_ROLE


@EVERY_ROLE
def test_each_role_gets_the_start_page(page_as, role):
    page = page_as(role).visit()
    assert not page.exception
    assert page.sidebar.button(key="sign_out")


def test_signing_out_ends_the_session(page_as):
    visitor = page_as("finance")
    page = visitor.visit()
    page.sidebar.button(key="sign_out").click().run()
    assert [warning.value for warning in page.warning] == ["You are signed out. [Sign in](<>) to come back here."]
