"""The answer by the rules alone: for one leaf at one moment, over the whole set of inputs, by plain recursion.

Knows nothing of messages, subscriptions or step functions, and shares no code with the forest.
"""

from collections.abc import Iterable

from schemas.messages import Claim, Merge, Retract
from schemas.rules import Rules
from tests.simulation.identity.inputs import Hit, Input, SessionUser

FREEMAIL = {"gmail.com"}
ROLES = {"info"}
UP = {"v": "ueda", "o": "ueda", "u": "eda", "e": "da", "d": "a", "a": ""}


def _content(claim: Claim):
    ends = claim.until is not None
    return claim.parent, claim.precedence, claim.at, claim.since, ends, claim.until if ends else 0, claim.source


def _letter(node: str) -> str:
    return node.split("/")[1][0]


class Oracle:
    def __init__(self, inputs: Iterable[Input], rules: Rules) -> None:
        inputs = list(inputs)
        self.rules = rules
        dead = {(i.to, i.id) for i in inputs if isinstance(i, Retract)}
        self.claims: dict[str, dict[str, Claim]] = {}
        merges: dict[str, Merge] = {}
        self.hits: dict[tuple[str, str], Hit] = {}
        self.session_users: dict[tuple[str, str], tuple[int, str]] = {}
        for i in inputs:
            # What says of which claim it is, without a number, takes back all that say so.
            said = {(i.to, i.id), (i.to, i.id.split("\0")[0])} if isinstance(i, Claim) else set()
            if isinstance(i, Claim) and not said & dead and _letter(i.parent) in UP.get(_letter(i.to), ""):
                mine = self.claims.setdefault(i.to, {})
                mine[i.id] = min(mine.get(i.id, i), i, key=_content)
            elif isinstance(i, Merge) and (i.to, i.id) not in dead and i.loser != i.winner:
                merges[i.id] = min(merges.get(i.id, i), i, key=lambda m: (m.loser, m.winner, m.precedence, m.at))
            elif isinstance(i, Hit):
                self.hits[i.to, i.id] = min(self.hits.get((i.to, i.id), i), i, key=Hit.order)
            elif isinstance(i, SessionUser):
                known = self.session_users.get((i.to, i.session), (-1, ""))
                self.session_users[i.to, i.session] = max(known, (i.when, i.user))
        self.above = self._accepted(merges)

    @staticmethod
    def _accepted(merges: dict[str, Merge]) -> dict[str, str]:
        above: dict[str, str] = {}
        for merge_id in sorted(merges, key=lambda m: (merges[m].precedence, merges[m].at, m), reverse=True):
            loser, top = merges[merge_id].loser, merges[merge_id].winner
            while top in above:
                top = above[top]
            if loser not in above and top != loser:
                above[loser] = merges[merge_id].winner
        return above

    def best(self, node: str, letters: str, at: int, floor: int = -1) -> Claim | None:
        """The claim of a family that holds at ``at``."""
        family = [
            c
            for c in self.claims.get(node, {}).values()
            if _letter(c.parent) in letters and (c.until is None or c.since < c.until) and c.precedence > floor
        ]
        if not family:
            return None
        # The first that no operator made holds before its beginning, too.
        first = min((c.since for c in family if c.precedence < 100), default=None)
        holding = [
            c
            for c in family
            if (c.since <= at or (c.precedence < 100 and c.since == first)) and (c.until is None or at < c.until)
        ]
        return max(holding, key=lambda c: (c.precedence, c.at, c.id), default=None)

    def link(self, node: str, at: int, session: str) -> str:
        letter = _letter(node)
        stated = self.best(node, "ue", at, floor=50 if letter == "v" else -1)
        if stated is not None:
            return stated.parent
        if letter != "v":
            return ""
        if session and (node, session) in self.session_users:
            return self.session_users[node, session][1]
        named = {user for (visitor, _), (_, user) in self.session_users.items() if visitor == node}
        named |= {
            c.parent
            for c in self.claims.get(node, {}).values()
            if _letter(c.parent) in "ue" and (c.until is None or c.since < c.until) and c.precedence < 100
        }
        return named.pop() if len(named) == 1 else ""

    def owner(self, node: str, at: int, session: str = "") -> tuple[str, int, str]:
        """(account, rank, person) of what happened to ``node`` at ``at``."""
        tenant, _, rest = node.partition("/")
        letter, value = rest[0], rest[2:]
        freemail = FREEMAIL | set(self.rules.freemail_domains)
        if letter == "d" and value in freemail:
            return "", 0, ""
        link = self.link(node, at, session)
        linked = self.owner(link, at) if link else ("", 0, "")
        # Candidates as (rank, tie-break, account): the own claim before the link before the domain.
        candidates = []
        own = self.best(node, "da", at)
        if own is not None:
            candidates.append((own.precedence, 3, self.owner(own.parent, at)[0]))
        candidates.append((linked[1], 2, linked[0]))
        if letter == "e" and value.split("@")[1] not in FREEMAIL:
            default = self.owner(f"{tenant}/d:{value.split('@')[1]}", at)
            candidates.append((default[1], 1, default[0]))
        candidates = [c for c in candidates if c[2]]
        rank, _, account = max(candidates, default=(0, 0, ""))
        if not account and letter == "d":
            rank, account = 20, node
        if not account and letter == "a":
            rank, account = 100, node
            while account in self.above:
                account = self.above[account]
        itself = {"v": node, "u": node, "e": "" if value.split("@")[0] in ROLES else node}.get(letter, "")
        return account, rank, linked[2] or itself

    def owners(self) -> dict[tuple[str, str], tuple[str, int, str]]:
        """(leaf, hit) -> (account, rank, person)."""
        return {place: self.owner(place[0], hit.when, hit.session) for place, hit in self.hits.items()}

    def held(self) -> dict[tuple[str, str], tuple[int, str, str]]:
        """(account, hit) -> (time, content, person), as the accounts must have it in the end."""
        found = {}
        for (node, hit_id), (account, _, person) in self.owners().items():
            hit = self.hits[node, hit_id]
            if account:
                found[account, hit_id] = hit.when, hit.content, person
        return found
