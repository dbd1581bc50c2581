"""Everyday touches in C: on an account's records as they are stored.

A session that begins or goes on is told to its account, which counts it, adds it to sums of engagement and looks whether an alert
follows. C (``stream/core/native``) takes what only does that: touches that no conversion is after, on the newest day with
engagement or a later one, as long as no alert ends and nothing is owed. Alerts that fire are written here. Whatever
else there is (conversions, profiles, touches that go or came late) it leaves to ``stream.core.account``, which takes
everything, with the same effects: ``tests/properties/test_everyday_touches.py``.

Nothing is asked of Python here but logarithms: rules are few numbers, and the sums are integers.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import log2
from typing import Final

import msgspec

from schemas.codec import json_encoder, state_encoder
from schemas.rules import AlertRule
from stream.core.account_rows import write_alert
from stream.core.compiled import WHY_NOT, native
from stream.core.engagement import DAY_MS, LOG2_MILLI, half_life_ms, unpack
from stream.core.frames import Line, by_account
from stream.core.half_life import PACKED_GROWTH
from stream.core.intent import Verdict, alert_rules_name, in_milli
from stream.core.journey import Header, Journey
from stream.core.step import Step

_MOST_POINTS: Final = 2_000_000.0
"""Rules with larger thresholds are Python's."""
_alerts_of: Final = msgspec.msgpack.Decoder(tuple[AlertRule, ...]).decode


@lru_cache(maxsize=4)
def _way_of(half_life: int, encoded: bytes) -> "native.Journeys | None":
    """C's part under rules that say so much of scores; None if Python is to take all.

    The rules of alerts are ``encoded``: two that are equal (0.0 and -0.0) may have different names.
    """
    alerts = _alerts_of(encoded)
    if (
        half_life >= native.LONGEST_HALF_LIFE_MS
        or len(alerts) > native.ALERTS
        or len({alert.name for alert in alerts}) < len(alerts)
        or not all(0 <= alert.threshold * share < _MOST_POINTS for alert in alerts for share in (1, alert.rearm_share))
    ):
        return None
    machines = tuple(
        (state_encoder.encode(a.name), in_milli(a.threshold), in_milli(a.threshold * a.rearm_share)) for a in alerts
    )
    return native.Journeys(
        half_life_ms=half_life,
        half_life_days=json_encoder.encode(half_life / DAY_MS),
        growth=PACKED_GROWTH,
        rules_name=state_encoder.encode(alert_rules_name(alerts)),
        alerts=machines,
        blank=state_encoder.encode(Header()),
        log2=log2,
        of_thousand=LOG2_MILLI,
    )


def take_in_c(step: Step, frame: bytes) -> Iterator[tuple[str, list[Line]]]:
    """Let what is everyday of a record count. Gives account and lines of each account that is left, when its turn comes.

    Whoever takes those must be done with them before asking for the next: rows are numbered in the order of the record.
    """
    way = _way_of(half_life_ms(step.rules.score_half_life_days), state_encoder.encode(step.rules.alerts))
    taken = None if way is None else way.frame(frame, step.state.records, step.version_and_address)
    if taken is None:
        yield from by_account(frame).items()
        return
    while True:
        people, many, accounts, more, accounts_first, fired, left = taken.go_on(
            step.next_row("engagement"), step.next_row("accounts")
        )
        made = [("engagement", people, many), ("accounts", accounts, more)]
        for table, rows, count in reversed(made) if accounts_first else made:
            if count:  # a table that has no row is none
                step.table(table).extend(rows, count)
        for account, number, day, before, now, at in fired:
            rule = step.rules.alerts[number]
            verdict = Verdict(rule.name, day, new=rule, score_before=unpack(before), score=unpack(now))
            write_alert(step, Journey(step.state, account), verdict, at)
        if left is None:
            return
        yield left


def left_to_python(_step: Step, frame: bytes) -> Iterable[tuple[str, list[Line]]]:
    """Stands for ``take_in_c`` where there is no C."""
    return by_account(frame).items()


FirstTouches = Callable[[Step, bytes], Iterable[tuple[str, list[Line]]]]
first: Final[FirstTouches] = left_to_python if WHY_NOT else take_in_c
"""Who is asked first in this process."""
