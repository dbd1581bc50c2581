"""The journey of one account: what the account stage stores of it, and what one input record changes in it.

``Journey`` takes the messages of one record, keeps the stored touches, conversions and profile up to date, and remembers
the difference. Engagement, ledger and alerts then work on that difference alone, whatever the size of the account.
"""

from typing import Final, TypeVar

import msgspec

from schemas import ids
from schemas.messages import (
    BEGINNING,
    Account,
    AccountMessage,
    Conversion,
    ConversionPut,
    ConversionWithdrawn,
    Profile,
    Touch,
    TouchPut,
    TouchWithdrawn,
)
from stream.core.opportunity_stages import LOST, OPEN, WON
from stream.core.state import State, key, time_part

S = TypeVar("S", bound=msgspec.Struct)

END: Final = 2**62
"""Plus infinity of times, in ms."""
_RANKS: Final = {OPEN: 0, LOST: 2, WON: 3}
"""How far a stage is, of those of one moment; all others are 1."""
_FIRST_CHUNK: Final = 64
_LARGEST_CHUNK: Final = 4096


class StoredTouch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A touch as an account keeps it."""

    id: str
    at: int
    type: str
    channel: str
    person: str
    points: int
    """Thousandths of a point as of ``at``."""
    last_at: int
    utm_source: str
    utm_medium: str
    utm_campaign: str
    eligible: bool = True
    """Else it only scores: it is no touch to attribution or to the counts."""


class StoredConversion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A conversion and the terms (``attribution.terms``) that the ledger booked it under."""

    content: Conversion
    terms: str = ""


class Header(msgspec.Struct, array_like=True, gc=False):
    """Everything about an account that a touch in order needs, so that it reads nothing else of its history."""

    entries: int = 0
    """Everything stored below ``t``; ``touches`` are the eligible ones."""
    newest_at: int = 0
    """Time of the latest of them; 0 without one."""
    touches: int = 0
    people: int = 0
    first_touch_at: int = 0
    last_touch_at: int = 0
    conversions: int = 0
    opportunities: int = 0
    """Conversions that belong to an opportunity; they decide the stage if there are any."""
    last_conversion_at: int = BEGINNING
    """A touch after it changes no allocation."""
    reach_ms: int = 0
    """Longest lookback that any conversion was booked under: how far a late touch can matter."""
    stage: str = ""
    """Of the conversions; "" without one."""
    score: bytes = b""
    """Sum of all entries (``engagement.pack``)."""
    half_life_ms: int = 0
    newest_day: int = -1
    """Latest day with engagement; -1 without one."""
    alert_rules: str = ""
    """Which alert rules the days were last run through (``intent``)."""
    name: str = ""
    domain: str = ""
    profile_stage: str = ""
    parent: str = ""
    owner: str = ""
    profile_at: int = BEGINNING
    """BEGINNING without a profile."""
    owing: bool = False
    """The ledger is behind (``attribution.debt``), and a message that goes on with it is on the log."""
    calm: int = 0
    """Messages to itself since the last change, while the ledger is behind and not being brought up."""
    waited: int = 0
    """The same since it fell behind or last began to be brought up, whatever changed."""
    pages: int = 0
    """Pages of changes that were ever written for a ledger that is behind."""
    alerts_from: int = -1
    """First day that the alert rules have yet to be run over (``intent``); -1 if there is none."""
    alerts_grew: bool = True
    """Whether nothing was taken away or lowered since that day waits."""
    pages_forgotten: int = 0
    """How many of the pages, the first ones, are gone."""


class TouchChange(msgspec.Struct, gc=False):
    """One touch before and after the record; None where it does not exist. Before and after have the same time."""

    at: int
    before: StoredTouch | None
    after: StoredTouch | None
    message: AccountMessage
    """The last one that changed it."""


class ConversionChange(msgspec.Struct, gc=False):
    """One conversion before and after the record."""

    at: int
    before: StoredConversion | None
    after: StoredConversion | None
    message: AccountMessage


class Journey:
    """One account during one record.

    Attributes:
        account: node of the account (or domain, or person without an account).
        tenant: its tenant.
        id: what people call it; "" for a person without an account.
        header: the live header; ``store_header`` puts it back.
        touches: what changed, by state key; entries that changed back are dropped by ``settle``.
        conversions: the same for conversions.
        profiled: whether the profile changed.
        unknown: withdrawals of what was not there.
    """

    __slots__ = (
        "_again",
        "account",
        "conversions",
        "header",
        "id",
        "prefix",
        "profiled",
        "state",
        "tenant",
        "touches",
        "unknown",
    )

    def __init__(self, state: State, account: str) -> None:
        self.state = state
        self.account = account
        self.tenant = ids.tenant(account)
        self.id = ids.account_id(account)
        self.header = state.get("h\0" + account, Header) or Header()
        self.prefix = "t\0" + account + "\0"
        self.touches: dict[str, TouchChange] = {}
        self.conversions: dict[str, ConversionChange] = {}
        self.profiled = False
        self.unknown = 0
        self._again = False

    def take(self, message: Account) -> None:
        """Apply one message to what is stored. Equal content and unknown withdrawals change nothing."""
        if isinstance(message, TouchPut):
            if message.touch is not None:
                self._put_touch(message, message.touch)
        elif isinstance(message, TouchWithdrawn):
            self._withdraw_touch(message)
        elif isinstance(message, ConversionPut):
            if message.conversion is not None:
                self._put_conversion(message, message.conversion)
        elif isinstance(message, ConversionWithdrawn):
            self._withdraw_conversion(message)
        elif isinstance(message, Profile):
            self._take_profile(message)

    def settle(self) -> bool:
        """Forget what changed back within the record and update the header's counts; whether anything is left."""
        if self._again:
            self.touches = {n: c for n, c in self.touches.items() if c.before != c.after}
            self.conversions = {n: c for n, c in self.conversions.items() if c.before != c.after}
        if self.touches:
            self._count_touches()
        if self.conversions:
            self._count_conversions()
        return bool(self.touches or self.conversions or self.profiled)

    def touch_key(self, at: int, touch_id: str) -> str:
        """State key of a touch."""
        return f"{self.prefix}{at + END:016x}\0{touch_id}"

    def touches_between(self, first: int, last: int, expected: int = 0) -> list[tuple[str, StoredTouch]]:
        """Stored touches with ``first`` <= at <= ``last`` and their keys, by (at, id). About so many are ``expected``."""
        return between(self.state, self.prefix, StoredTouch, first, last, expected=expected)

    def conversions_between(self, first: int, last: int) -> list[tuple[str, StoredConversion]]:
        """Stored conversions with ``first`` <= at <= ``last`` and their keys, by (at, id)."""
        return between(self.state, key("c", self.account, ""), StoredConversion, first, last)

    def store_header(self) -> None:
        """Put the header back into the state."""
        self.state.put("h\0" + self.account, self.header)

    # -- messages -------------------------------------------------------------------------------------------------

    def _put_touch(self, message: TouchPut, t: Touch) -> None:
        name = self.touch_key(t.at, t.id)
        # One that is newer than all others cannot be there yet, unless this record brought it: no need to look.
        new = t.at > self.header.newest_at and name not in self.touches
        before = None if new else self.state.get(name, StoredTouch)
        after = StoredTouch(
            t.id,
            t.at,
            t.type,
            t.channel,
            t.person,
            t.points,
            t.last_at,
            t.utm_source,
            t.utm_medium,
            t.utm_campaign,
            t.eligible,
        )
        if before != after:
            self.state.put(name, after)
            self._touch_changed(name, t.at, before, after, message)

    def _withdraw_touch(self, message: TouchWithdrawn) -> None:
        name = self.touch_key(message.touched_at, message.id)
        before = self.state.get(name, StoredTouch)
        if before is None:
            self.unknown += 1
            return
        self.state.delete(name)
        self._touch_changed(name, before.at, before, None, message)

    def _touch_changed(
        self,
        name: str,
        at: int,
        before: StoredTouch | None,
        after: StoredTouch | None,
        message: TouchPut | TouchWithdrawn,
    ) -> None:
        earlier = self.touches.get(name)
        if earlier is not None:
            before = earlier.before
            self._again = True
        self.touches[name] = TouchChange(at, before, after, message)

    def _put_conversion(self, message: ConversionPut, conversion: Conversion) -> None:
        name = key("c", self.account, time_part(conversion.at), conversion.id)
        before = self.state.get(name, StoredConversion)
        if before is None or before.content != conversion:
            after = StoredConversion(conversion, "" if before is None else before.terms)
            self.state.put(name, after)
            self._conversion_changed(name, conversion.at, before, after, message)

    def _withdraw_conversion(self, message: ConversionWithdrawn) -> None:
        name = key("c", self.account, time_part(message.converted_at), message.id)
        before = self.state.get(name, StoredConversion)
        if before is None:
            self.unknown += 1
            return
        self.state.delete(name)
        self._conversion_changed(name, before.content.at, before, None, message)

    def _conversion_changed(
        self,
        name: str,
        at: int,
        before: StoredConversion | None,
        after: StoredConversion | None,
        message: ConversionPut | ConversionWithdrawn,
    ) -> None:
        earlier = self.conversions.get(name)
        self._again = self._again or earlier is not None
        first = before if earlier is None else earlier.before
        if after is not None and first is not None and after.terms != first.terms:
            after = StoredConversion(after.content, first.terms)
            self.state.put(name, after)
        self.conversions[name] = ConversionChange(at, first, after, message)

    def _take_profile(self, p: Profile) -> None:
        h = self.header
        # One source speaks at a time and in order, so of two profiles with one time the one that comes later counts.
        if p.profile_at < h.profile_at:
            return
        new = (p.name, p.domain, p.stage, p.parent, p.owner, p.profile_at)
        if new != (h.name, h.domain, h.profile_stage, h.parent, h.owner, h.profile_at):
            h.name, h.domain, h.profile_stage, h.parent, h.owner, h.profile_at = new
            self.profiled = True

    # -- counts ---------------------------------------------------------------------------------------------------

    def _count_touches(self) -> None:
        h = self.header
        shrunk = first_gone = last_gone = False
        for change in self.touches.values():
            at, before, after = change.at, change.before, change.after
            h.entries += (after is not None) - (before is not None)
            if after is not None and at > h.newest_at:
                h.newest_at = at
            shrunk = shrunk or (after is None and at == h.newest_at)
            was = before is not None and before.eligible
            if after is not None and after.eligible and not was:
                if at > h.last_touch_at or not h.touches:
                    h.last_touch_at = at
                if at < h.first_touch_at or not h.touches:
                    h.first_touch_at = at
                h.touches += 1
            elif was and (after is None or not after.eligible):
                h.touches -= 1
                first_gone = first_gone or at == h.first_touch_at
                last_gone = last_gone or at == h.last_touch_at
        if shrunk or last_gone:
            newest_at, last_touch_at = self._outermost(reverse=True)
            h.newest_at = max(0, newest_at) if shrunk else h.newest_at
            h.last_touch_at = last_touch_at if last_gone else h.last_touch_at
        if first_gone:
            h.first_touch_at = self._outermost(reverse=False)[1]

    def _outermost(self, *, reverse: bool) -> tuple[int, int]:
        """Times of the first entry and of the first that is eligible, from one end; 0 where there is none."""
        size = 1
        while self.header.entries:
            found = self.state.scan(self.prefix, StoredTouch, reverse=reverse, limit=size)
            eligible = next((touch.at for _, touch in found if touch.eligible), None)
            if eligible is not None or not self.header.touches:
                return found[0][1].at, eligible or 0
            size *= 4
        return 0, 0

    def _count_conversions(self) -> None:
        h = self.header
        for change in self.conversions.values():
            for stored, sign in ((change.before, -1), (change.after, 1)):
                if stored is not None:
                    h.conversions += sign
                    h.opportunities += sign * bool(stored.content.opportunity)
        changes = self.conversions.values()
        if all(c.before is None and c.after is not None and c.at > h.last_conversion_at for c in changes):
            new = [c.after.content for c in changes if c.after is not None]
            decisive = [c for c in new if c.opportunity] if h.opportunities else new
            h.last_conversion_at = max(c.at for c in new)
            h.stage = _stage_of(decisive) if decisive else h.stage
        else:
            h.last_conversion_at, h.stage = self._latest_stage()

    def _latest_stage(self) -> tuple[int, str]:
        """Time of the latest conversion, and the stage: of the latest with an opportunity, else of the latest."""
        size = 2
        while True:
            found = self.state.scan(key("c", self.account, ""), StoredConversion, reverse=True, limit=size)
            latest = [stored.content for _, stored in found]
            if not latest:
                return BEGINNING, ""
            decisive = [c for c in latest if c.opportunity] if self.header.opportunities else latest
            if decisive and (len(found) < size or latest[-1].at < decisive[0].at):
                return latest[0].at, _stage_of(decisive)
            size *= 4


def _stage_of(conversions: list[Conversion]) -> str:
    """That of the latest. A new deal is opened in the moment of its first stage, so of one moment the further one counts."""
    return max(conversions, key=lambda c: (c.at, _RANKS.get(c.stage, 1), c.id)).stage


def between(
    state: State, prefix: str, type_: type[S], first: int, last: int, *, expected: int = 0
) -> list[tuple[str, S]]:
    """Objects below ``prefix`` whose next key part is a time in [``first``, ``last``], in key order.

    Read in growing chunks, since a scan has no upper end: at most about twice what is asked for is decoded.
    """
    end = prefix + time_part(min(last, END) + 1)
    start = prefix + time_part(max(first, BEGINNING))
    found: list[tuple[str, S]] = []
    size = min(max(expected, _FIRST_CHUNK), _LARGEST_CHUNK)
    while True:
        chunk = state.scan(prefix, type_, start=start, limit=size)
        if chunk and chunk[-1][0] >= end:
            return found + [pair for pair in chunk if pair[0] < end]
        found += chunk
        if len(chunk) < size:
            return found
        start = chunk[-1][0] + "\0"
        size = min(2 * size, _LARGEST_CHUNK)
