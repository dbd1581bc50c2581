"""A forest in one partition, for tests that look at what one event or one message does."""

import msgspec

from schemas.event import Event
from schemas.facts import IdentityRow
from schemas.ids import node
from schemas.messages import Identity, Owner
from schemas.rules import Rules
from stream.core import identity
from stream.core.state import MemoryState
from stream.core.step import Step

TENANT = "default"
rows_decoder = msgspec.json.Decoder(IdentityRow)


def name(short: str) -> str:
    return f"{TENANT}/{short}"


def event(type_: str, entry: str, at: int = 0, **fields) -> Event:
    """An event entering at the node ``entry`` (short name); ``properties`` may be a dict."""
    if "properties" in fields:
        fields["properties"] = msgspec.Raw(msgspec.json.encode(fields["properties"]))
    id_ = fields.pop("id", f"{type_}-{entry}-{at}")
    return Event(id=id_, node=name(entry), type=type_, at=at, received_at=at, tenant=TENANT, **fields)


class Forest:
    """State and a step that never ends, until ``rows`` ends it."""

    def __init__(self, rules: Rules | None = None, *, chunk: int = identity.CHUNK) -> None:
        self.chunk = chunk
        self.state = MemoryState()
        self.rules = rules or Rules()
        self.settled: list[str] = []
        self.told: list[Identity] = []
        self.offset = 0
        self._next()

    def _next(self) -> None:
        self.step = Step(self.state, self.rules, partition=0, partitions=1, offset=self.offset, at=1000 + self.offset)
        self.offset += 1

    def observe(self, *events: Event) -> list[Identity]:
        """Let events in; the messages that they made, first those of the events themselves."""
        before = len(self.told)
        for one in events:
            identity.observe(self.step, one)
            self.loop()
        return self.told[before:]

    def tell(self, *messages: Identity) -> None:
        for message in messages:
            self.step.local.append(message)
        self.loop()

    def enter(self, short: str) -> None:
        identity.entered(self.step, name(short), "event")

    def link(self, visitor: str, user: str, delta: int = 1) -> None:
        identity.link(self.step, name(visitor), name(user), delta, "who")
        self.loop()

    def loop(self) -> None:
        while self.step.local:
            message = self.step.local.popleft()
            self.told.append(message)
            identity.handle(self.step, message, self._settle, chunk=self.chunk, told=self.chunk)

    def _settle(self, _step: Step, node_name: str, _after: str, _limit: int, _cause: str) -> str:
        self.settled.append(node_name)
        return ""

    def owner(self, short: str, at: int = 0, via: str = "") -> Owner | None:
        return identity.owner_of(self.step, name(short), at, name(via) if via else "")

    def account(self, short: str, at: int = 0, via: str = "") -> str:
        """Account of what ``short`` did at ``at``, without tenant; "?" if not known yet."""
        owner = self.owner(short, at, via)
        self.loop()
        owner = self.owner(short, at, via)
        return "?" if owner is None else owner.account.removeprefix(f"{TENANT}/")

    def person(self, short: str, at: int = 0, via: str = "") -> str:
        self.account(short, at, via)
        owner = self.owner(short, at, via)
        return "?" if owner is None else owner.person.removeprefix(f"{TENANT}/")

    def rows(self) -> dict[str, IdentityRow]:
        """End the step: the identity rows that it booked, by node."""
        identity.flush(self.step)
        found = [rows_decoder.decode(row) for row in self.step.rows.get("identity", [])]
        by_node = {row.node: row for row in found}
        assert len(by_node) == len(found), "one row per node and frame"
        self._next()
        return by_node


def registry() -> str:
    return node(TENANT, "r", "accounts")
