"""Random tests that arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.arrivals import Dealt, arriving


def test_a_search_fails_that_never_came_to_a_step():
    with (
        pytest.raises(AssertionError, match="never succeeded in this run: pay, refund;"),
        arriving(["send", "pay", "refund"]) as arrived,
    ):
        arrived("send")


def test_a_search_that_came_to_every_step_has_arrived():
    with arriving(["send", "pay"]) as arrived:
        for step in ("send", "pay", "send"):
            arrived(step)


def test_a_step_that_nobody_waits_for_is_a_mistake():
    with pytest.raises(KeyError), arriving(["send"]) as arrived:
        arrived("sent")


def test_a_failure_is_not_hidden_by_what_was_not_reached_for_it():
    with pytest.raises(ZeroDivisionError), arriving(["send"]):
        raise ZeroDivisionError


@given(st.data())
def test_each_step_is_dealt_twice_before_any_comes_a_third_time(data):
    dealt = Dealt("abc")
    assert sorted(dealt.next(data.draw) for _ in range(6)) == ["a", "a", "b", "b", "c", "c"]
    assert dealt.next(data.draw) in "abc"
