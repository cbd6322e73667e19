"""Every check of credit holds where there is something of everything, and fails where that is damaged."""

from billing_core.payments.prepaid import verification
from tests.ledger.damaging import as_if_nothing_refused
from tests.payments.prepaid.damages import DAMAGES, prepare


def test_each_check_holds_and_fails_where_it_is_damaged(session, subtests):
    prepare(session)
    assert [check for check in verification.checks(session) if check.wrong or not check.proven] == []
    for name, damages in DAMAGES.items():
        for statement, *words in damages:
            with subtests.test(check=name, damage=statement):
                undo = session.begin_nested()
                as_if_nothing_refused(session, statement)
                found = next(check.wrong for check in verification.checks(session) if check.name == name)
                undo.rollback()
                assert found == tuple(words)
