"""Who hears when a node's resolution changes: its children that subscribed.

A hub (an account, a big domain) may have 100,000 of them, so they are keys of their own, and the node stays small. Most
nodes have one or two: those lie in the node itself, since looking for keys that were written at other times costs as much
as the rest of a message together.
"""

from typing import Final

import msgspec

from stream.core.identity.node import keep_node
from stream.core.nodes import NodeState
from stream.core.state import State, key

FEW: Final = 8
"""Most subscribers that lie in the node."""


class Subscriber(msgspec.Struct, array_like=True, gc=False):
    """One of many. All there is to know is in the key."""


def subscribe(state: State, name: str, node: NodeState, child: str) -> None:
    """Let ``child`` hear."""
    few = node.few
    if few is None:
        state.put(subscriber_key(name, child), Subscriber())
    elif child not in few:
        few[child] = None
        if len(few) > FEW:
            node.few = None
            for one in few:
                state.put(subscriber_key(name, one), Subscriber())
        keep_node(state, name, node)


def unsubscribe(state: State, name: str, node: NodeState, child: str) -> None:
    """Let ``child`` hear no longer."""
    if node.few is None:
        state.delete(subscriber_key(name, child))
    elif child in node.few:
        del node.few[child]
        keep_node(state, name, node)


def hears(state: State, name: str, node: NodeState, child: str) -> bool:
    """Whether ``child`` is subscribed."""
    return state.get(subscriber_key(name, child), Subscriber) is not None if node.few is None else child in node.few


def anybody_hears(state: State, name: str, node: NodeState) -> bool:
    """Whether the node has subscribers."""
    return bool(subscribers(state, name, node, limit=1))


def subscribers(state: State, name: str, node: NodeState, *, start: str = "", limit: int | None = None) -> list[str]:
    """The first ``limit`` of the subscribers, sorted, from the one with the key ``start`` on."""
    prefix = subscriber_key(name, "")
    if node.few is not None:
        return [child for child in sorted(node.few) if prefix + child >= start][:limit]
    found = state.scan(prefix, Subscriber, start=start, limit=limit)
    return [place[len(prefix) :] for place, _ in found]


def subscriber_key(name: str, child: str) -> str:
    """State key of a subscriber that has one; with child "" the prefix of all of them."""
    return key("s", name, child)
