"""Intent alerts: when an account's score reaches a rule's threshold, as a pure function of its touches.

Per rule a machine runs over the account's active UTC days in order. It starts armed. At the start of a day it is armed
again if the score has decayed to ``rearm_share`` of the threshold; if it is armed and the score reaches the threshold at
any touch of the day, the alert of that day exists and the machine is disarmed. A late touch runs the days again from its
own on: alerts that no longer hold are withdrawn, and what now holds is booked. Touches in order look at one day only.

While an account's ledger is behind (``attribution.debt``), its sums are those of a move half done, so only the days' sums are
kept then, and the machine runs when it has come to rest: once for all parts of the move, and no alert is withdrawn soon.
"""

from datetime import date
from functools import lru_cache
from typing import Final

import msgspec

from schemas.alerts import Evidence
from schemas.codec import state_encoder
from schemas.ids import derived_id
from schemas.rules import AlertRule
from stream.core.engagement import DAY_MS, DayChange, EngagementChange, day_of, entry_unit, pack, unpack
from stream.core.journey import END, Journey, StoredTouch
from stream.core.state import key
from stream.core.step import Step

_LAST_DAY: Final = day_of(END)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class Fired(msgspec.Struct, array_like=True, gc=False):
    """An alert that stands."""

    rule_version: str
    fired_at: int
    score: float
    threshold: float
    evidence: Evidence
    sent: bool


class Day(msgspec.Struct, array_like=True, gc=False):
    """``g``: engagement of one UTC day, and the alert machines before and after it."""

    score: bytes = b""
    entries: int = 0
    """Touches with points."""
    negatives: int = 0
    """Touches with points below zero."""
    before: list[str] = []
    """Rules that are disarmed when the day begins."""
    after: list[str] = []
    """Rules that are disarmed when it ends."""
    fired: dict[str, Fired] = {}
    """Alerts of this day that stand, by rule."""

    def add(self, delta: DayChange) -> int:
        """Let a record's change of the day count. Returns: the day's new sum."""
        score = unpack(self.score) + delta.score
        self.score = pack(score)
        self.entries += delta.entries
        self.negatives += delta.negatives
        return score


class Verdict(msgspec.Struct, gc=False):
    """A change of the alerts that stand: ``new`` fires, or ``withdrawn`` no longer holds."""

    rule: str
    day: int
    new: AlertRule | None = None
    withdrawn: Fired | None = None
    score_before: int = 0
    score: int = 0
    """Sums before and after the day's touches, for ``new``."""


def run_alerts(step: Step, journey: Journey, change: EngagementChange, rules_name: str) -> list[Verdict]:
    """Bring the days and their alerts up to date. Returns what changed; ``record_fired`` completes a new one.

    Of an account whose ledger is behind the alerts may be left to ``run_late_alerts``.

    Args:
        step: for the rules and the state.
        journey: settled, engagement already changed.
        change: what the record changed in the engagement.
        rules_name: ``alert_rules_name`` of the rules.
    """
    header = journey.header
    if header.alert_rules != rules_name:
        _add_first_day(journey, change)
        header.alert_rules = rules_name
    if not change.days:
        return []
    if header.owing and (header.alerts_from >= 0 or min(change.days) < header.newest_day):
        _put_off(journey, change)
        return []
    return _verdicts(step, journey, change)


def run_late_alerts(step: Step, journey: Journey) -> list[Verdict]:
    """Run the days that ``run_alerts`` put off, if there are any. Returns what changed, as that does."""
    if journey.header.alerts_from < 0:
        return []
    return _verdicts(step, journey, EngagementChange(unpack(journey.header.score), {}, {}, {}))


def _verdicts(step: Step, journey: Journey, change: EngagementChange) -> list[Verdict]:
    header = journey.header
    late = header.alerts_from >= 0
    if late:
        change.days.setdefault(header.alerts_from, DayChange())
        change.grew = change.grew and header.alerts_grew
        header.alerts_from, header.alerts_grew = -1, True
    run = _Run(step, journey, change, late=late)
    run.days()
    return run.verdicts


def _put_off(journey: Journey, change: EngagementChange) -> None:
    """Change the days' sums and leave the alerts for later. Days without a touch stay until then: alerts may hang on them."""
    state, header = journey.state, journey.header
    for number, delta in change.days.items():
        name = day_key(journey.account, number)
        day = state.get(name, Day) or Day()
        day.add(delta)
        state.put(name, day)
    first = min(change.days)
    header.alerts_from = first if header.alerts_from < 0 else min(first, header.alerts_from)
    header.alerts_grew = header.alerts_grew and change.grew


def alert_rules_name(alerts: tuple[AlertRule, ...]) -> str:
    """A name for the rules' alert machines; days are run again when it changes."""
    return _name_of(state_encoder.encode(alerts))


@lru_cache(maxsize=4)
def _name_of(encoded: bytes) -> str:
    """By their bytes: equal rules (0.0 and -0.0) may have different names."""
    return derived_id("alerts", encoded.hex())


def alert_id(account: str, tenant: str, rule: str, day: int) -> str:
    """The same alert has the same id whenever it is computed."""
    return derived_id(tenant, rule, account, day_text(day))


def day_text(day: int) -> str:
    """ISO date of a day number."""
    return date.fromordinal(_EPOCH_ORDINAL + day).isoformat()


def day_key(account: str, day: int) -> str:
    """State key of a day; days sort by number."""
    return f"g\0{account}\0{day:06d}"


def day_touches(journey: Journey, day: int) -> list[StoredTouch]:
    """All touches of a day by (at, id); the first and last day hold all that lies beyond."""
    first = day * DAY_MS if day > 0 else -END
    last = (day + 1) * DAY_MS - 1 if day < _LAST_DAY else END
    return [touch for _, touch in journey.touches_between(first, last)]


def _add_first_day(journey: Journey, change: EngagementChange) -> None:
    found = journey.state.scan(key("g", journey.account, ""), Day, limit=1)
    if found:
        change.days.setdefault(int(found[0][0].rsplit("\0", 1)[1]), DayChange())
        # Another rule may fire on a day that has not changed.
        change.grew = False


class _Run:
    """One pass over the days from the first changed one on."""

    def __init__(self, step: Step, journey: Journey, change: EngagementChange, *, late: bool) -> None:
        self.late = late
        self.state = step.state
        self.rules = step.rules.alerts
        self.journey = journey
        self.change = change
        self.half_life = journey.header.half_life_ms
        self.verdicts: list[Verdict] = []

    def days(self) -> None:
        """Run them, store them, keep the header's newest day."""
        chain = self._chain()
        header = self.journey.header
        running = self.change.score
        for _, _, score in chain:
            running -= score
        disarmed = chain[0][1].before
        for number, day, score in chain:
            seen = len(self.verdicts)
            before, day.before = day.before, disarmed
            after, day.after = day.after, self._run_day(number, day, running, running + score)
            disarmed = day.after
            running += score
            if not day.entries:
                self.state.delete(day_key(self.journey.account, number))
            # Most days after a late touch stay as they are: not storing them again is most of its cost.
            elif number in self.change.days or len(self.verdicts) > seen or (before, after) != (day.before, day.after):
                self.state.put(day_key(self.journey.account, number), day)
        number, day, _ = chain[-1]
        if day.entries:
            header.newest_day = number
        elif number >= header.newest_day:
            header.newest_day = self._day_before(END)[0]

    def _chain(self) -> list[tuple[int, Day, int]]:
        """All days from the first changed one on with their sums, the record's changes in them."""
        changed = self.change.days
        first = min(changed)
        found = self._stored_from(first)
        if self.late or first not in found:  # a day that was put off does not know what came before it
            found.setdefault(first, Day()).before = self._day_before(first)[1]
        chain = []
        numbers = [first] if len(found) == len(changed) == 1 else sorted(found.keys() | changed.keys())
        for number in numbers:
            day = found.get(number) or Day()
            delta = changed.get(number)
            chain.append((number, day, unpack(day.score) if delta is None else day.add(delta)))
        return chain

    def _stored_from(self, first: int) -> dict[int, Day]:
        newest = self.journey.header.newest_day
        account = self.journey.account
        if first < newest:
            pairs = self.state.scan(key("g", account, ""), Day, start=day_key(account, first))
            return {int(name.rsplit("\0", 1)[1]): day for name, day in pairs}
        day = self.state.get(day_key(account, first), Day) if first == newest else None
        return {} if day is None else {first: day}

    def _day_before(self, number: int) -> tuple[int, list[str]]:
        """The latest stored day before ``number`` (-1 if none) and the rules that are disarmed after it."""
        newest = self.journey.header.newest_day
        account = self.journey.account
        if newest < 0:
            return -1, []
        if newest < number < END:
            day = self.state.get(day_key(account, newest), Day)
            return newest, [] if day is None else day.after
        start = day_key(account, min(number, _LAST_DAY + 1) - 1)
        found = self.state.scan(key("g", account, ""), Day, start=start, reverse=True, limit=1)
        return (int(found[0][0].rsplit("\0", 1)[1]), found[0][1].after) if found else (-1, [])

    def _run_day(self, number: int, day: Day, before: int, total: int) -> list[str]:
        """All machines over one day. Returns the rules that are disarmed after it."""
        start = entry_unit(number * DAY_MS, self.half_life)
        disarmed: list[str] = []
        standing: dict[str, Fired] = {}
        for rule in self.rules:
            armed = rule.name not in day.before or before <= in_milli(rule.threshold * rule.rearm_share) * start
            fires = armed and self._reaches(number, day, (before, total), rule)
            if fires:
                fired = day.fired.get(rule.name)
                if fired is None:
                    self.verdicts.append(Verdict(rule.name, number, new=rule, score_before=before, score=total))
                else:
                    standing[rule.name] = fired
            if fires or not armed:
                disarmed.append(rule.name)
        if len(standing) < len(day.fired):
            for name, fired in day.fired.items():
                if name not in standing:
                    self.verdicts.append(Verdict(name, number, withdrawn=fired))
            day.fired = standing
        return disarmed

    def _reaches(self, number: int, day: Day, sums: tuple[int, int], rule: AlertRule) -> bool:
        """Whether the score is at least the threshold at any touch of the day. Reads touches only if it is close.

        ``sums`` are those of all entries before the day and until its end.
        """
        if not day.entries:
            return False
        if rule.name in day.fired and self.change.grew:
            return True
        running, total = sums
        threshold = in_milli(rule.threshold)
        if total >= threshold * entry_unit((number + 1) * DAY_MS, self.half_life):
            return True
        if not day.negatives and total < threshold * entry_unit(number * DAY_MS, self.half_life):
            return False
        touches = [t for t in day_touches(self.journey, number) if t.points]
        for i, touch in enumerate(touches):
            worth = entry_unit(touch.at, self.half_life)
            running += touch.points * worth
            # Touches at the same moment count together: their order is no fact.
            last_of_moment = i + 1 == len(touches) or touches[i + 1].at != touch.at
            if last_of_moment and running >= threshold * worth:
                return True
        return False


def record_fired(journey: Journey, verdict: Verdict, fired: Fired) -> None:
    """Keep a new alert with its day, for the case that it must be withdrawn."""
    name = day_key(journey.account, verdict.day)
    day = journey.state.get(name, Day)
    assert day is not None, "a day with an alert has touches"
    day.fired[verdict.rule] = fired
    journey.state.put(name, day)


class _Told(msgspec.Struct, array_like=True, gc=False):
    """``w``: an alert of which people last heard that it was withdrawn. It outlives its day, which goes with its touches."""


def record_withdrawn(journey: Journey, verdict: Verdict) -> None:
    """Keep that people were told so."""
    journey.state.put(_told_key(journey, verdict), _Told())


def take_withdrawn(journey: Journey, verdict: Verdict) -> bool:
    """Whether people last heard of this alert that it was withdrawn; that is forgotten, since they hear of it again."""
    name = _told_key(journey, verdict)
    if journey.state.get(name, _Told) is None:
        return False
    journey.state.delete(name)
    return True


def _told_key(journey: Journey, verdict: Verdict) -> str:
    return key("w", journey.account, f"{verdict.day:06d}", verdict.rule)


def rescale_days(journey: Journey, days: dict[int, int]) -> None:
    """Give the stored days their sums for a new half-life; the next ``run_alerts`` starts from the first day."""
    for name, day in journey.state.scan(key("g", journey.account, ""), Day):
        day.score = pack(days.get(int(name.rsplit("\0", 1)[1]), 0))
        journey.state.put(name, day)
    journey.header.alert_rules = ""


def in_milli(points: float) -> int:
    """Points in thousandths."""
    return round(points * 1000)
