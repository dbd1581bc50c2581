"""How many users a visitor has is counted over all contents of its events, whichever content of an id counts in the end."""

import itertools

import pytest

from stream.core.identity import node
from tests.support.events import hit
from tests.support.stitch import Stage

ADDRESSES = {"1": "ann@corp.example", "2": "eve@other.example"}


def named(type_: str, event_id: str, user: str):
    return hit(type_, event_id, 0, user=user, email=ADDRESSES[user], platform="web")


def accounts(frames) -> set[str]:
    stage = Stage()
    for frame in frames:
        stage.put(frame)
    return {session["account_id"] for session in stage.run().table("sessions").values()}


def in_all_ways(events):
    """In every order, together and one by one."""
    for order in itertools.permutations(events):
        yield [list(order)]
        yield [[event] for event in order]


@pytest.mark.parametrize("other", ["1", "2"])
def test_a_user_whom_only_a_replaced_content_named_is_one_of_the_visitors_users(monkeypatch, other):
    monkeypatch.setattr(node, "MOST_USERS", 1)
    # Of the two contents of "a" one counts. With either "other" two users were named.
    events = [named("page", "a", "1"), named("page", "a", "2"), named("page", "b", other)]
    for frames in in_all_ways(events):
        assert accounts(frames) == {""}


@pytest.mark.parametrize("other", ["1", "2"])
def test_a_ping_names_nobody_whichever_content_counts(monkeypatch, other):
    monkeypatch.setattr(node, "MOST_USERS", 1)
    events = [named("ping", "a", "1"), named("ping", "a", "2"), named("page", "b", other)]
    for frames in in_all_ways(events):
        assert accounts(frames) == {ADDRESSES[other].partition("@")[2]}
