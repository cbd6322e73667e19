"""The rejected rows of a dropped file, as a file to repair."""

import pytest
from sqlalchemy import select

from billing_core.errors import NotFound
from billing_core.imports import inbox, steps
from billing_core.imports.models import Holds, ImportFilePart
from tests.imports.inbox.dropped import ADA, rejected


def test_a_rejected_formula_is_harmless_in_a_spreadsheet(receive, requested, sessions):
    token = receive("customers.csv", b"customer_ref,name,email\nA,B,=1+1\n").token
    steps.work_off(sessions, requested(inbox.check))
    assert "A,B,'=1+1,email: “=1+1” is not an e-mail address" in rejected(sessions, token).decode("utf-8-sig")


def test_the_list_of_rejected_rows_is_whole_however_long(receive, requested, sessions):
    content = b"customer_ref,name\n" + b"".join(b"%030d,\n" % number for number in range(60_000))
    token = receive("customers.csv", content).token
    steps.work_off(sessions, requested(inbox.check))
    lines = rejected(sessions, token).decode("utf-8-sig").splitlines()
    assert lines[0] == "customer_ref,name,Not imported because"
    assert lines[1:] == [f"{number:030},,name: is empty" for number in range(60_000)]
    with sessions() as session:
        rows = session.scalars(select(ImportFilePart.number).where(ImportFilePart.holds == Holds.REJECTED)).all()
    assert sorted(rows) == [0, 1, 2]  # of 3 MB


def test_rejected_rows_of_a_former_check_are_no_longer_told(receive, requested, sessions):
    token = receive("customers.csv", b"customer_ref,name,email\nA,B,Atlantis\n").token
    steps.work_off(sessions, requested(inbox.check))
    assert b"Atlantis" in rejected(sessions, token)
    with sessions.begin() as session:
        inbox.choose_origins(session, ADA, token, {"email": None})
    steps.work_off(sessions, requested(inbox.check))
    with pytest.raises(NotFound):
        rejected(sessions, token)
