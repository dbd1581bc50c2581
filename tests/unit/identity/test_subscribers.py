"""Subscribers of a node: the same, whether they are few enough to lie in it or have keys."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.identity import subscribers
from stream.core.identity.node import keep_node, node_of
from stream.core.identity.subscribers import anybody_hears, hears, subscribe, subscriber_key, unsubscribe
from stream.core.nodes import NodeState
from stream.core.state import MemoryState

HUB = "t/d:acme.com"
CHILDREN = st.sampled_from(["t/v:é", "t/v:1", "t/u:1", "t/e:ann@acme.com", "t/u:10"])


@given(st.lists(st.tuples(st.booleans(), CHILDREN)), CHILDREN, st.integers(1, 6), st.booleans())
def test_it_is_a_set_in_the_order_of_names(changes, start, limit, inside):
    state, expected = MemoryState(), set()
    keep_node(state, HUB, NodeState(few={} if inside else None))
    for comes, child in changes:
        node = node_of(state, HUB)
        (subscribe if comes else unsubscribe)(state, HUB, node, child)
        (expected.add if comes else expected.discard)(child)
        node = node_of(state, HUB)
        assert hears(state, HUB, node, child) is comes
        assert anybody_hears(state, HUB, node) is bool(expected)
    node = node_of(state, HUB)
    assert subscribers.subscribers(state, HUB, node) == sorted(expected)
    following = sorted(child for child in expected if child >= start)
    assert subscribers.subscribers(state, HUB, node, start=subscriber_key(HUB, start), limit=limit) == following[:limit]


@pytest.mark.parametrize(("many", "lies_in_it"), [(8, True), (9, False)])
def test_a_hub_stays_small(monkeypatch, many, lies_in_it):
    monkeypatch.setattr(subscribers, "FEW", 8)
    state, node = MemoryState(), NodeState(few={})
    for number in range(many):
        subscribe(state, HUB, node, f"t/v:{number}")
    assert (node.few == {f"t/v:{number}": None for number in range(many)}) is lies_in_it
    assert (node.few is None) is not lies_in_it


def test_a_node_of_format_3_has_keys_only():
    """It was written without the field that says who is subscribed."""
    state, fields = MemoryState(), msgspec.to_builtins(NodeState(few={}))
    node = msgspec.convert(fields[:-1], NodeState)
    state.put(subscriber_key(HUB, "t/v:1"), subscribers.Subscriber())
    subscribe(state, HUB, node, "t/v:2")
    assert subscribers.subscribers(state, HUB, node) == ["t/v:1", "t/v:2"]
    assert hears(state, HUB, node, "t/v:1")
    unsubscribe(state, HUB, node, "t/v:1")
    assert subscribers.subscribers(state, HUB, node) == ["t/v:2"]
