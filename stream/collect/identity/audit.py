"""Reads from the audit what the pure functions need: claims upwards and downwards, touches, conversions, credit."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from schemas.errors import TouchlineError
from schemas.ids import DOMAIN, OPPORTUNITY, kind, value
from schemas.messages import BEGINNING
from schemas.rules import Rules
from stream.collect.identity.questions import Parameter, Questions
from stream.core.identity.book import Book, Held, Known
from stream.core.identity.prediction import Credit, Record
from stream.core.identity.resolution import work_domain_node

MOST_NODES: Final = 20_000
"""Identifiers below one that a prediction looks at: more would take minutes."""
_CHUNK: Final = 1000
_LEVELS: Final = 8
"""Five kinds, and merges of merges: no way up is longer."""
_CLAIMS: Final = (
    "SELECT node, raw_id, parent, source, precedence, tie_break, live, cause_event_id, toBool(status = 'limit') AS limited,"
    " toUnixTimestamp64Milli(recorded_at) AS recorded, toUnixTimestamp64Milli(holds_from) AS since,"
    " toUnixTimestamp64Milli(holds_to) AS until FROM v_identity_claims WHERE tenant = {tenant:String} AND "
)
_BELOW: Final = (
    # The table has an index by parent, the view has not.
    "live AND parent IN {some:Array(String)} AND node IN"
    " (SELECT node FROM identity_claims WHERE tenant = {tenant:String} AND parent IN {some:Array(String)})"
)
_TOUCHES: Final = (
    "SELECT touch_id AS id, node, toUnixTimestamp64Milli(occurred_at) AS at, account_id, person_id FROM v_touches"
    " WHERE tenant = {tenant:String} AND "
)
_CONVERSIONS: Final = (
    "SELECT conversion_id AS id, opportunity_id, event_id, toUnixTimestamp64Milli(occurred_at) AS at, account_id,"
    " person_id FROM v_conversions WHERE tenant = {tenant:String} AND (account_id IN {some:Array(String)}"
    " OR (account_id = '' AND person_id IN {some:Array(String)}))"
)
_EMAILS: Final = (
    "SELECT DISTINCT node FROM v_identity WHERE tenant = {tenant:String} AND kind = 'email'"
    " AND (endsWith(node, {at:String}) OR endsWith(node, {below:String})) LIMIT {most:UInt32}"
)
_CREDITS: Final = (
    "SELECT touch_id, model, currency, sum(credit) AS credits, sum(v_ledger.amount) AS amounts FROM v_ledger"
    " WHERE tenant = {tenant:String} AND touch_id IN {some:Array(String)} GROUP BY touch_id, model, currency"
)


class TooMany(TouchlineError):
    """The question is about more identifiers than can be answered at once."""


class Audit:
    """What one tenant's audit says."""

    def __init__(self, questions: Questions, tenant: str, rules: Rules) -> None:
        self._questions = questions
        self.tenant = tenant
        self.rules = rules

    async def upwards(self, names: Iterable[str]) -> dict[str, list[Known]]:
        """Claims of the nodes and of everybody above them, by node; with all merges of accounts."""
        found: dict[str, list[Known]] = {}
        wanted = [name for name in dict.fromkeys(names) if kind(name) != "a"]
        for _ in range(_LEVELS):
            if not wanted:
                break
            for name in wanted:
                found.setdefault(name, [])
            async for claim in self._claims("node IN {some:Array(String)}", wanted):
                found[claim.node].append(claim)
            parents = [claim.held.parent for name in wanted for claim in found[name] if claim.live]
            above = dict.fromkeys([*parents, *filter(None, map(work_domain_node, wanted))])
            wanted = [name for name in above if name not in found and kind(name) != "a"]
        for claim in await self.merges():
            found.setdefault(claim.node, []).append(claim)
        return found

    async def merges(self) -> list[Known]:
        """All merges of accounts."""
        return [claim async for claim in self._claims("startsWith(node, 'a:')")]

    async def claim(self, claim_id: str) -> list[Known]:
        """Claims of that id: ids are unique at a node, so there may be several."""
        return [claim async for claim in self._claims("claim_id = {id:String}", id=claim_id)]

    async def standing(self, names: Iterable[str]) -> dict[str, list[Known]]:
        """Live claims of the nodes, by node."""
        return await self._live("live AND node IN {some:Array(String)}", names)

    async def below(self, names: Iterable[str]) -> dict[str, list[Known]]:
        """Live claims that somebody belongs to one of the nodes, by who does."""
        return await self._live(_BELOW, names)

    async def between(self, child: str, parent: str) -> list[Known]:
        """Live claims that ``child`` belongs to ``parent``."""
        condition = "live AND node = {child:String} AND parent = {parent:String}"
        return [claim async for claim in self._claims(condition, child=_bare(child), parent=_bare(parent))]

    async def downwards(self, top: str) -> list[str]:
        """The node and everybody below it. Raises: TooMany."""
        found = {top: True}
        wanted = [top]
        for _ in range(_LEVELS):
            below: dict[str, bool] = {}
            async for claim in self._claims(_BELOW, wanted):
                below[claim.node] = True
            for name in wanted:
                if kind(name) == DOMAIN:
                    below |= dict.fromkeys(await self._emails(name), True)
            wanted = [name for name in below if name not in found]
            found |= dict.fromkeys(wanted, True)
            if len(found) > MOST_NODES:
                raise TooMany(f"more than {MOST_NODES} identifiers belong to it: too many to predict at once")
            if not wanted:
                break
        return list(found)

    async def _emails(self, domain: str) -> list[str]:
        host = value(domain)
        rows = await self._questions.rows(
            _EMAILS, tenant=self.tenant, at=f"@{host}", below=f".{host}", most=MOST_NODES + 1
        )
        names = [f"{self.tenant}/{row['node']}" for row in rows]
        return [name for name in names if work_domain_node(name) == domain]

    async def records(self, names: Sequence[str], book: Book) -> list[Record]:
        """Touches and conversions of the nodes."""
        found = [
            _record(self.tenant, row)
            for some in _chunks([_bare(name) for name in names])
            for row in await self._rows(_TOUCHES + "node IN {some:Array(String)}", some)
        ]
        owners = await asyncio.to_thread(_owners_of, book, names)  # the collector has other things to do
        mine = {_bare(name) for name in names}
        for some in _chunks(owners):
            rows = await self._rows(_CONVERSIONS, some)
            places = await self._places(sorted({row["event_id"] for row in rows if not row["opportunity_id"]}))
            for row in rows:
                opportunity = f"{OPPORTUNITY}:{row['opportunity_id']}" if row["opportunity_id"] else ""
                place = next((p for p in [opportunity, *places.get(row["event_id"], ())] if p in mine), "")
                if place:
                    found.append(_record(self.tenant, row | {"node": place}, is_conversion=True))
        return found

    async def _places(self, event_ids: Sequence[str]) -> dict[str, list[str]]:
        """Nodes that events entered by."""
        found: dict[str, list[str]] = {}
        sql = "SELECT event_id, node FROM events WHERE tenant = {tenant:String} AND event_id IN {some:Array(String)}"
        for some in _chunks(event_ids):
            for row in await self._rows(sql, some):
                found.setdefault(row["event_id"], []).append(row["node"].removeprefix(f"{self.tenant}/"))
        return found

    async def credits(self, touches: Sequence[str]) -> list[Credit]:
        """What is booked on the touches, by model and currency."""
        return [
            Credit(row["touch_id"], row["model"], row["currency"], Decimal(row["credits"]), Decimal(row["amounts"]))
            for some in _chunks(touches)
            for row in await self._rows(_CREDITS, some)
        ]

    async def touch(self, touch_id: str) -> Record | None:
        """One touch."""
        rows = await self._rows(_TOUCHES + "touch_id IN {some:Array(String)}", [touch_id])
        return _record(self.tenant, rows[0]) if rows else None

    async def unseen(self, names: Sequence[str]) -> list[str]:
        """Those of the nodes on which nothing rests: no event of theirs, no claim, nobody who belongs to them."""
        sql = "SELECT DISTINCT node FROM v_identity WHERE tenant = {tenant:String} AND node IN {some:Array(String)}"
        seen = {f"{self.tenant}/{row['node']}" for row in await self._rows(sql, [_bare(name) for name in names])}
        return [name for name in names if name not in seen]

    async def session_at(self, visitor: str, at: int) -> tuple[str, str] | None:
        """Account and person of the visitor's session around ``at`` (ms)."""
        sql = (
            "SELECT account_id, person_id FROM v_sessions WHERE tenant = {tenant:String} AND visitor_id = {id:String}"
            " AND toUnixTimestamp64Milli(started_at) <= {at:Int64} AND toUnixTimestamp64Milli(ended_at) >= {at:Int64}"
        )
        rows = await self._questions.rows(sql, tenant=self.tenant, id=value(visitor), at=at)
        return (rows[0]["account_id"], rows[0]["person_id"]) if rows else None

    async def said(self, event_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Who sent the events that claims come from, and what operators gave as the reason."""
        sql = (
            "SELECT event_id, type, source, toUnixTimestamp64Milli(occurred_at) AS at, if(startsWith(type, 'identity.'),"
            " JSONExtractString(properties, 'reason'), '') AS reason FROM v_events"
            " WHERE tenant = {tenant:String} AND event_id IN {some:Array(String)}"
        )
        found: dict[str, dict[str, Any]] = {}
        for some in _chunks(sorted(set(filter(None, event_ids)))):
            found |= {row["event_id"]: row for row in await self._rows(sql, some)}
        return found

    async def rows(self, sql: str, **parameters: Parameter) -> list[dict[str, Any]]:
        """Rows of a query that names the tenant as ``{tenant:String}``."""
        return await self._questions.rows(sql, tenant=self.tenant, **parameters)

    async def _rows(self, sql: str, some: Sequence[str]) -> list[dict[str, Any]]:
        return await self.rows(sql, some=some)

    async def _live(self, condition: str, names: Iterable[str]) -> dict[str, list[Known]]:
        found: dict[str, list[Known]] = {}
        async for claim in self._claims(condition, list(names)):
            found.setdefault(claim.node, []).append(claim)
        return found

    async def _claims(self, condition: str, names: Sequence[str] | None = None, **given: str) -> AsyncIterator[Known]:
        for some in [None] if names is None else _chunks([_bare(name) for name in names]):
            parameters = given if some is None else {**given, "some": some}
            for row in await self._questions.rows(_CLAIMS + condition, tenant=self.tenant, **parameters):
                yield known_of(self.tenant, row)


def known_of(tenant: str, row: dict[str, Any]) -> Known:
    """A claim from its row of ``v_identity_claims``."""
    held = Held(
        f"{tenant}/{row['parent']}" if row["parent"] else "",
        row["precedence"],
        row["tie_break"],
        BEGINNING if row["since"] is None else row["since"],
        row["until"],
        row["source"],
    )
    return Known(
        f"{tenant}/{row['node']}",
        row["raw_id"],
        held,
        row["live"],
        row["recorded"],
        row["cause_event_id"],
        row["limited"],
    )


def _owners_of(book: Book, names: Iterable[str]) -> list[str]:
    """Accounts and persons that the nodes ever belong to, as tables write them."""
    nodes: set[str] = set()
    for name in names:
        for resolution in (book.resolution(name), *map(book.resolution, book.sessions_users(name))):
            nodes.update(node for _, owner in resolution for node in (owner.account, owner.person) if node)
    return sorted({value(node) for node in nodes})


def _record(tenant: str, row: dict[str, Any], *, is_conversion: bool = False) -> Record:
    return Record(
        row["id"],
        f"{tenant}/{row['node']}",
        row["at"],
        row["account_id"],
        row["person_id"],
        is_conversion,
    )


def _bare(name: str) -> str:
    return name.partition("/")[2]


def _chunks(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
