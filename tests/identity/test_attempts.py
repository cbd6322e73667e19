"""How often somebody may try to sign in, counted in the database for all processes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from billing_core.identity import attempts
from billing_core.identity.attempts import BY_ONE, FROM_ONE_ADDRESS, OF_ONE_ACCOUNT, Knock, Refusal, SignInAttempt

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANA = Knock("ana@example.com", "192.0.2.7")


def later(**duration) -> datetime:
    return NOW + timedelta(**duration)


def guess(session, times, knock=ANA, now=NOW):
    """The refusals of so many attempts."""
    refused = []
    for _ in range(times):
        refused.append(attempts.begin(session, knock, now=now))
        session.flush()
    return refused


def test_ten_wrong_passwords_from_one_address_wait_until_the_first_is_a_quarter_of_an_hour_old(session):
    assert guess(session, 1) == [None]
    assert guess(session, 9, now=later(minutes=5)) == [None] * 9
    assert guess(session, 1, now=later(minutes=6)) == [Refusal(BY_ONE, 9 * 60)]
    # What was refused is not counted: waiting helps.
    assert guess(session, 1, now=later(minutes=15)) == [None]
    assert guess(session, 1, now=later(minutes=15)) == [Refusal(BY_ONE, 5 * 60)]


def test_an_account_is_the_same_however_its_address_is_typed(session):
    guess(session, 10, Knock(" ANA@Example.com ", "192.0.2.7"))
    assert guess(session, 1) == [Refusal(BY_ONE, 15 * 60)]


def test_one_address_that_tries_one_account_after_another_waits(session):
    for number in range(60):
        assert guess(session, 1, Knock(f"{number}@example.com", "192.0.2.7")) == [None]
    assert guess(session, 1) == [Refusal(FROM_ONE_ADDRESS, 15 * 60)]
    assert guess(session, 1, Knock("ana@example.com", "192.0.2.8")) == [None]
    # A browser in which the account is known does not stand back for others in its network.
    assert guess(session, 1, Knock("ana@example.com", "192.0.2.7", "known")) == [None]


def test_right_passwords_are_no_guesses(session):
    for number in range(65):
        someone = Knock(f"{number}@example.com", "192.0.2.7")
        assert guess(session, 1, someone) == [None]
        attempts.succeeded(session, someone, now=NOW)
    assert session.scalar(select(func.count()).where(SignInAttempt.succeeded)) == 65


def test_many_addresses_wait_together_except_those_from_which_the_account_was_used_in_thirty_days(session):
    office = Knock("ana@example.com", "198.51.100.1")
    attempts.succeeded(session, office, now=NOW - timedelta(days=30) + timedelta(hours=2))
    for number in range(100):
        assert guess(session, 1, Knock("ana@example.com", f"203.0.113.{number}")) == [None]
    assert guess(session, 1) == [Refusal(OF_ONE_ACCOUNT, 3600)]
    assert guess(session, 1, Knock("bob@example.com", "192.0.2.7")) == [None]
    assert guess(session, 1, office) == [None]
    assert guess(session, 1, Knock("ana@example.com", "192.0.2.7", "known")) == [None]
    assert attempts.refusal(session, office, now=later(minutes=59)) is None
    assert guess(session, 1, ANA, now=later(minutes=60)) == [None]


def test_a_right_password_forgives_whoever_typed_it_alone(session):
    browser = Knock("ana@example.com", "192.0.2.7", "known")
    guess(session, 10)
    guess(session, 9, browser)
    attempts.succeeded(session, browser, now=NOW)
    assert guess(session, 10, browser) == [None] * 10
    assert guess(session, 1)[0].limit is BY_ONE
    other = Knock("ana@example.com", "192.0.2.8")
    guess(session, 9, other)
    attempts.succeeded(session, other, now=NOW)
    assert guess(session, 10, other) == [None] * 10


def test_those_who_try_at_the_same_moment_are_each_counted(sessions):
    def one(_) -> Refusal | None:
        with sessions.begin() as session:
            return attempts.begin(session, ANA, now=NOW)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(24)))
    assert answers.count(None) == BY_ONE.amount


def test_neither_the_account_nor_the_address_typed_is_kept_in_words(session):
    guess(session, 1, Knock("a secret typed into the wrong field", "192.0.2.7"))
    kept = session.scalars(select(SignInAttempt)).one()
    assert len(kept.account) == 64
    assert "secret" not in kept.account


@pytest.mark.parametrize(("age", "kept"), [(timedelta(hours=23), 2), (timedelta(hours=25), 1), (timedelta(days=31), 0)])
def test_what_no_limit_counts_is_forgotten(session, age, kept):
    guess(session, 1)
    attempts.succeeded(session, Knock("bob@example.com", "192.0.2.7"), now=NOW)
    session.flush()
    attempts.forget(session, now=NOW + age)
    assert session.scalar(select(func.count()).select_from(SignInAttempt)) == kept
