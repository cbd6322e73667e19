"""Requests are counted in memory as exactly as the documents promise, and forgotten once they no longer matter."""

from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond, WindowStats

from billing_core.web.rate_limiter import InMemory

THREE = RateLimitItemPerSecond(3, 4, namespace="three-in-four-seconds")
PAUSES = st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 3.75, 4.0, 9.0]), min_size=1, max_size=30)


def at(now: float):
    return mock.patch("time.time", return_value=now)


@given(PAUSES)
def test_what_was_counted_in_the_last_seconds_decides_alone(pauses):
    limiter, counted, now = InMemory(), [], 1_000.0
    for pause in pauses:
        now += pause
        recent = [then for then in counted if then > now - 4]
        with at(now):
            told = WindowStats((recent[0] if recent else now) + 4, 3 - len(recent))
            assert limiter.get_window_stats(THREE, "key:1") == told
            assert limiter.hit(THREE, "key:1") is (len(recent) < 3)
        if len(recent) < 3:
            counted.append(now)


def test_limits_and_those_who_ask_are_counted_apart():
    limiter, other = InMemory(), RateLimitItemPerSecond(3, 4, namespace="another")
    with at(1_000.0):
        assert [limiter.hit(THREE, "key:1") for _ in range(4)] == [True, True, True, False]
        assert limiter.hit(THREE, "key:2")
        assert limiter.hit(other, "key:1")
        limiter.clear(THREE, "key:1")
        limiter.clear(THREE, "nobody")
        assert limiter.get_window_stats(THREE, "key:1").remaining == 3
        assert limiter.get_window_stats(other, "key:1").remaining == 2


def test_requests_at_the_same_time_are_each_counted_once():
    limiter, limit = InMemory(), RateLimitItemPerMinute(500)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: limiter.hit(limit, "key:1"), range(800)))
    assert answers.count(True) == 500


def test_who_does_not_come_again_is_forgotten_within_a_minute_of_the_window():
    limiter = InMemory()
    with at(1_000.0):
        for number in range(100):
            limiter.hit(THREE, f"address:{number}")
            limiter.get_window_stats(THREE, f"never counted:{number}")
    with at(1_003.0):
        limiter.hit(THREE, "key:1")
    with at(1_061.0):
        limiter.hit(THREE, "key:2")
    assert len(limiter._ends) == 1
