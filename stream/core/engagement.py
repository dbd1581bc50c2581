"""Engagement: the score that decays, per account, person and day, exact and whatever the order.

An entry is a touch with its points. The score at a time is ``sum(points * 2**((touch.at - time) / half_life))``; what is
stored is the sum of ``points * 2**(touch.at / half_life)`` as one integer (``half_life.unit``), so entries are added and
taken away in any order without a trace, and ranking by it never needs a refresh. docs/attribution.md#engagement.

    >>> week = 7 * 86_400_000
    >>> stored = pack(8_000 * unit(0, week) + 1_000 * unit(week, week))
    >>> score_at(unpack(stored), week, week)
    5.0
"""

from math import log2
from typing import Final

import msgspec

from schemas.ids import value
from stream.core.half_life import SCALE_BITS, unit
from stream.core.journey import Journey, StoredTouch
from stream.core.state import key

DAY_MS: Final = 86_400_000
_LATEST: Final = 4_102_444_800_000
"""2100-01-01. Times are cut to [1970, 2100): a wild clock must not make numbers of a million digits."""
NOTHING: Final = -1e308
"""``log2_score`` of a sum that is not positive (JSON has no infinity)."""
LOG2_MILLI: Final = SCALE_BITS + log2(1000)
"""``log2`` of what a point at time 0 is in a sum."""
_SHIFT_BYTES: Final = 4


class PersonTally(msgspec.Struct, array_like=True, gc=False):
    """``p``: touches and score of one person on one account."""

    entries: int = 0
    """Everything with this person; ``touches`` are the eligible ones."""
    touches: int = 0
    score: bytes = b""


class DayChange(msgspec.Struct, gc=False):
    """What a record changes in the entries of one UTC day."""

    score: int = 0
    entries: int = 0
    negatives: int = 0


class EngagementChange(msgspec.Struct, gc=False):
    """What a record changes in an account's engagement.

    Attributes:
        score: the account's new sum.
        people: new tallies of the people concerned, by ``person_id``; with no entry left they are gone.
        scores: their sums.
        days: by day number since 1970.
        grew: no entry was taken away or lowered.
    """

    score: int
    people: dict[str, PersonTally]
    scores: dict[str, int]
    days: dict[int, DayChange]
    grew: bool = True


def person_id(node: str) -> str:
    """How people read a person's node: the address, user id or visitor id; "" for none.

    SURPRISE: tallies go by it and not by the node: a user whose id is the address is one person with the address, and one
    row of the table.
    """
    return value(node) if node else ""


def pack(total: int) -> bytes:
    """A sum as bytes, a few dozen whatever its size: the number of zero bits at its end, then the rest."""
    if not total:
        return b""
    shift = (total & -total).bit_length() - 1
    rest = total >> shift
    return shift.to_bytes(_SHIFT_BYTES, "little") + rest.to_bytes(rest.bit_length() // 8 + 1, "little", signed=True)


def unpack(packed: bytes) -> int:
    """Inverse of ``pack``."""
    if not packed:
        return 0
    shift = int.from_bytes(packed[:_SHIFT_BYTES], "little")
    return int.from_bytes(packed[_SHIFT_BYTES:], "little", signed=True) << shift


def log2_score(total: int) -> float:
    """``L`` with ``score(now) = 2**(L - now_ms / half_life_ms)`` in points, of ``abs(total)``; NOTHING for 0."""
    return log2(abs(total)) - LOG2_MILLI if total else NOTHING


def score_at(total: int, time_ms: int, half_life_ms: int) -> float:
    """The score in points at a time, for people to read; decisions compare the integers."""
    return total / (1000 * entry_unit(time_ms, half_life_ms))


def entry_unit(at_ms: int, half_life_ms: int) -> int:
    """What a thousandth of a point at ``at_ms`` adds to a sum."""
    return unit(at_ms if 0 <= at_ms <= _LATEST else min(max(at_ms, 0), _LATEST), half_life_ms)


def day_of(at_ms: int) -> int:
    """Number of the UTC day since 1970-01-01, cut to [1970, 2100)."""
    return (at_ms if 0 <= at_ms < _LATEST else min(max(at_ms, 0), _LATEST - 1)) // DAY_MS


def half_life_ms(days: float) -> int:
    """The half-life of the rules in ms; at least a minute."""
    return max(60_000, round(days * DAY_MS))


def change_engagement(journey: Journey, half_life: int) -> EngagementChange:
    """Add and take away the entries that changed in the record, in the header and in the people's tallies.

    Args:
        journey: settled; ``journey.header.half_life_ms`` equals ``half_life`` (see ``rescale``).
        half_life: in ms.
    """
    header = journey.header
    header.half_life_ms = half_life
    change = EngagementChange(unpack(header.score), {}, {}, {})
    for touch in journey.touches.values():
        worth = entry_unit(touch.at, half_life)
        before, after = touch.before, touch.after
        lost = 0 if before is None else before.points
        gained = 0 if after is None else after.points
        if before is not None and after is not None and _same_entry(before, after):
            if lost != gained:
                _tally(journey, change, after.person)
                change.scores[person_id(after.person)] += (gained - lost) * worth
        else:
            if before is not None:
                _count(journey, change, before, -1, worth)
            if after is not None:
                _count(journey, change, after, 1, worth)
        if lost != gained:
            _change_day(change, touch.at, worth, lost, gained)
    if change.days:
        header.score = pack(change.score)
    _store_people(journey, change)
    return change


def _same_entry(before: StoredTouch, after: StoredTouch) -> bool:
    """Whether the touch counts for the same person in the same way: a session that went on."""
    return before.person == after.person and before.eligible == after.eligible


def _count(journey: Journey, change: EngagementChange, touch: StoredTouch, sign: int, worth: int) -> None:
    tally = _tally(journey, change, touch.person)
    tally.entries += sign
    if touch.eligible:
        tally.touches += sign
    change.scores[person_id(touch.person)] += sign * touch.points * worth


def _tally(journey: Journey, change: EngagementChange, node: str) -> PersonTally:
    """The tally of a person, on the list of those that change."""
    person = person_id(node)
    tally = change.people.get(person)
    if tally is None:
        name = "p\0" + journey.account + "\0" + person
        tally = change.people[person] = journey.state.get(name, PersonTally) or PersonTally()
        change.scores[person] = unpack(tally.score)
        if person and tally.touches:
            journey.header.people -= 1
    return tally


def _change_day(change: EngagementChange, at: int, worth: int, lost: int, gained: int) -> None:
    number = day_of(at)
    day = change.days.get(number)
    if day is None:
        day = change.days[number] = DayChange()
    delta = (gained - lost) * worth
    day.score += delta
    day.entries += bool(gained) - bool(lost)
    day.negatives += (gained < 0) - (lost < 0)
    change.score += delta
    change.grew = change.grew and delta > 0


def _store_people(journey: Journey, change: EngagementChange) -> None:
    for person, tally in change.people.items():
        name = "p\0" + journey.account + "\0" + person
        if person and tally.touches:
            journey.header.people += 1
        if tally.entries:
            tally.score = pack(change.scores[person])
            journey.state.put(name, tally)
        else:
            journey.state.delete(name)


def entries_by_day(journey: Journey, half_life: int) -> tuple[dict[str, int], dict[int, int]]:
    """Sums of all stored entries by person and by day, from scratch."""
    people: dict[str, int] = {}
    days: dict[int, int] = {}
    for _, touch in journey.state.scan(journey.prefix, StoredTouch):
        worth = touch.points * entry_unit(touch.at, half_life)
        person = person_id(touch.person)
        people[person] = people.get(person, 0) + worth
        if worth:
            number = day_of(touch.at)
            days[number] = days.get(number, 0) + worth
    return people, days


def rescale_people(journey: Journey, people: dict[str, int], half_life: int) -> dict[str, PersonTally]:
    """Rewrite the header's and all people's sums for a new half-life. Returns all tallies by person.

    Reads every touch of the account, once per change of the rules.
    """
    prefix = key("p", journey.account, "")
    header = journey.header
    header.half_life_ms = half_life
    header.score = pack(sum(people.values()))
    tallies = {}
    for name, tally in journey.state.scan(prefix, PersonTally):
        person = name[len(prefix) :]
        tally.score = pack(people.get(person, 0))
        journey.state.put(name, tally)
        tallies[person] = tally
    return tallies
