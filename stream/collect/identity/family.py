"""What tables say of an account beside its claims: its name and size, who is above and below it, what was named for it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.ids import ACCOUNT, node, value
from stream.collect.identity.audit import Audit
from stream.core.identity.book import Book
from stream.core.identity.composition import Named, merged_into
from stream.core.identity.explanation import MOST_SHOWN

_PROFILE: Final = (
    "SELECT name, people, touches, parent_id FROM v_accounts"
    " WHERE tenant = {tenant:String} AND account_id = {id:String}"
)
_CHILDREN: Final = (
    "SELECT account_id, name, count() OVER () AS children FROM v_accounts WHERE tenant = {tenant:String}"
    " AND parent_id IN {some:Array(String)} AND account_id NOT IN {above:Array(String)}"
    " ORDER BY account_id LIMIT {most:UInt32}"
)
_SAID: Final = (
    # As the CRM's versions are folded: the latest that says anything of it.
    "SELECT node, argMaxIf(event_id, (occurred_at, event_id), JSONHas(properties, 'parent_id') OR JSONHas(properties, 'parent'))"
    " AS parent_event, argMaxIf(JSONExtract(properties, 'domains', 'Array(String)'), (occurred_at, event_id),"
    " JSONHas(properties, 'domains')) AS hosts FROM events"
    " WHERE tenant = {tenant:String} AND node IN {some:Array(String)} AND type = 'crm.account' GROUP BY node"
)
_NAMED: Final = (
    # The table has an index by parent, the view has not.
    "SELECT node, max(live) AS stands, count() OVER () AS domains FROM v_identity_claims"
    " WHERE tenant = {tenant:String} AND startsWith(node, 'd:') AND parent IN {some:Array(String)} AND node IN"
    " (SELECT node FROM identity_claims WHERE tenant = {tenant:String} AND parent IN {some:Array(String)})"
    " GROUP BY node ORDER BY stands DESC, node LIMIT {most:UInt32}"
)


_DIRECT: Final = (
    "SELECT substring(node, 1, 1) AS letter, source, uniqExact(node) AS nodes FROM v_identity_claims"
    " WHERE tenant = {tenant:String} AND live AND parent IN {some:Array(String)} AND NOT match(node, '^[ad]:') AND node IN"
    " (SELECT node FROM identity_claims WHERE tenant = {tenant:String} AND parent IN {some:Array(String)})"
    " GROUP BY letter, source ORDER BY nodes DESC, letter, source"
)
MOST_STEPS: Final = 5
"""Of the way up that ``v_account_tree`` goes."""


class Child(NamedTuple):
    """An account whose parent is the one in question."""

    account_id: str
    name: str


class Direct(NamedTuple):
    """How many identifiers of a kind one source names for the account."""

    letter: str
    source: str
    nodes: int


class Family(msgspec.Struct):
    """An account among others; ids are those of tables. Empty where nothing is known of it."""

    name: str = ""
    people: int = 0
    touches: int = 0
    parent_id: str = ""
    """As the CRM names it."""
    parent: str = ""
    """After merges; "" without one, or with a ``problem``."""
    parent_event: str = ""
    """Event that named it."""
    problem: str = ""
    children: list[Child] = []
    """At most ``MOST_SHOWN``."""
    more_children: int = 0
    direct: list[Direct] = []


class Word(NamedTuple):
    """What the CRM last said of an account: the event that named its parent, and its hosts."""

    parent_event: str
    hosts: list[str]


async def words_of(audit: Audit, accounts: list[str]) -> dict[str, Word]:
    """The CRM's words on those of the accounts that it knows. Looks for them in all events."""
    rows = await audit.rows(_SAID, some=accounts)
    return {row["node"]: Word(row["parent_event"], row["hosts"]) for row in rows}


async def named_for(audit: Audit, accounts: list[str], words: Mapping[str, Word]) -> Named:
    """What was ever named for one of the accounts: at most ``MOST_SHOWN`` domains, standing ones first."""
    rows = await audit.rows(_NAMED, some=[_bare(account) for account in accounts], most=MOST_SHOWN)
    hosts = sorted({host for word in words.values() for host in word.hosts})
    more = rows[0]["domains"] - len(rows) if rows else 0
    return Named([f"{audit.tenant}/{row['node']}" for row in rows], more, hosts)


async def named_directly(audit: Audit, accounts: list[str]) -> list[Direct]:
    """Who is named for one of the accounts other than by a domain: users by their group, contacts by the CRM, ..."""
    rows = await audit.rows(_DIRECT, some=[_bare(account) for account in accounts])
    return [Direct(row["letter"], row["source"], row["nodes"]) for row in rows]


async def family_of(audit: Audit, book: Book, account: str, words: Mapping[str, Word]) -> Family:
    """Name, size, parent and children of the account (a node), as ``v_accounts`` and ``v_account_tree`` have them.

    The tree itself is worked out for all accounts at once, which takes seconds where there are 100,000.
    """
    own = await audit.rows(_PROFILE, id=value(account))
    family = Family(**own[0]) if own else Family()
    above = await _above(audit, book, account, family.parent_id)
    family.problem = problem_of(value(account), above)
    family.parent = above[0] if above and not family.problem else ""
    if family.parent_id and account in words:
        family.parent_event = words[account].parent_event
    # Whoever is below an account that was merged is below the one that it was merged into.
    if _root(book, audit.tenant, value(account)) == value(account) and not problem_of("", [value(account), *above]):
        some = [value(name) for name in merged_into(book, account)]
        rows = await audit.rows(_CHILDREN, some=some, above=[value(account), *above], most=MOST_SHOWN)
        family.children = [Child(row["account_id"], row["name"]) for row in rows]
        family.more_children = rows[0]["children"] - len(rows) if rows else 0
    return family


async def _above(audit: Audit, book: Book, account: str, parent_id: str) -> list[str]:
    """Ids of the accounts above, the nearest first, as far as to see that there are too many."""
    above: list[str] = []
    below = value(account)
    while parent_id and len(above) <= MOST_STEPS:
        parent = _root(book, audit.tenant, parent_id)
        if parent == below:
            break
        above.append(parent)
        rows = await audit.rows(_PROFILE, id=parent)
        below, parent_id = parent, rows[0]["parent_id"] if rows else ""
    return above


def problem_of(account_id: str, above: list[str]) -> str:
    """Why an account with those above it stands alone, as ``v_account_tree`` has it; "" if it does not.

    >>> problem_of("a", ["b", "c"]), problem_of("a", ["b", "a"]), problem_of("a", ["b", "c", "b"])
    ('', 'circle', 'circle')
    >>> problem_of("a", list("bcdef")), problem_of("a", list("bcdefg"))
    ('', 'too deep')
    """
    if account_id in above or len(set(above)) < len(above):
        return "circle"
    return "too deep" if len(above) > MOST_STEPS else ""


def _root(book: Book, tenant: str, account_id: str) -> str:
    """What stands for an account after merges."""
    root = book.decider(node(tenant, ACCOUNT, account_id)).state.root
    return value(root) if root else account_id


def _bare(name: str) -> str:
    return name.partition("/")[2]
