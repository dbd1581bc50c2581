"""The account stage: one record of the ``accounts`` topic -> journeys, ledger, engagement, alerts, and their rows.

All messages to one account in a record are applied together, and the difference is booked once: a pure function of the
sets of touches, conversions and profile before and after. Nothing here depends on how many touches an account has.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.messages import Account, Control, Owing, RulesChanged
from schemas.rejections import Rejected, RejectReason
from schemas.rules import Rules
from stream.core.account_rows import write_account, write_alert, write_conversions, write_engagement
from stream.core.attribution.ledger import book, pay
from stream.core.engagement import (
    PersonTally,
    change_engagement,
    entries_by_day,
    half_life_ms,
    rescale_people,
    unpack,
)
from stream.core.everyday_touches import FirstTouches, first
from stream.core.frames import Line, decode_message
from stream.core.intent import Verdict, alert_rules_name, rescale_days, run_alerts, run_late_alerts
from stream.core.journey import Journey
from stream.core.state import State
from stream.core.step import Step

RULES_KEY: Final = "rules"


def rules_of(state: State) -> Rules:
    """The rules that hold in this partition; the defaults until some were sent."""
    return state.get(RULES_KEY, Rules) or Rules()


def control_step(step: Step, messages: Sequence[Control]) -> None:
    """Apply ticks and new rules. Scores decay by themselves, so a tick changes nothing here.

    New rules hold from here on; what is booked is restated under them when it is next touched (docs/attribution.md).
    """
    for message in messages:
        if isinstance(message, RulesChanged):
            step.rules = message.rules
            step.state.put(RULES_KEY, message.rules)


def frame_step(step: Step, frame: bytes, *, first: FirstTouches = first) -> None:
    """Apply one record of the ``accounts`` topic, one message a line.

    ``first`` takes what it can and gives the lines of those accounts that are left.
    """
    for account, own in first(step, frame):
        messages = _decoded(step, account, own)
        if messages:
            messages_step(step, messages)


def _decoded(step: Step, account: str, group: list[Line]) -> list[Account]:
    """The messages of one account's lines. Stages write no others, so what is refused here is of another program's making."""
    messages: list[Account] = []
    for number, line in group:
        if not line.strip():
            continue
        try:
            message = decode_message(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            step.refused.append((number, Rejected(RejectReason.MALFORMED, str(error)[:200], line)))
            continue
        if message.to == account:
            messages.append(message)
        else:
            step.refused.append((number, Rejected(RejectReason.MALFORMED, "it names two accounts", line)))
    return messages


def messages_step(step: Step, messages: Sequence[Account]) -> None:
    """Apply messages of one record: rows and alerts of every account that they change go to ``step``."""
    by_account: dict[str, list[Account]] = {}
    for message in messages:
        by_account.setdefault(message.to, []).append(message)
    half_life = half_life_ms(step.rules.score_half_life_days)
    rules_name = alert_rules_name(step.rules.alerts)
    for account, mine in by_account.items():
        journey = Journey(step.state, account)
        _apply(step, journey, mine, half_life, rules_name)
        if any(isinstance(message, Owing) for message in mine):
            if pay(step, journey):
                _write_alerts(step, journey, run_late_alerts(step, journey), mine)
            journey.store_header()


def _apply(step: Step, journey: Journey, messages: Sequence[Account], half_life: int, rules_name: str) -> None:
    """One account's messages of the record in, rows out."""
    rescaled = _rescale(journey, half_life)
    for message in messages:
        journey.take(message)
    if journey.unknown:
        step.counts["unknown_withdrawals"] = step.counts.get("unknown_withdrawals", 0) + journey.unknown
    if not journey.settle() and rescaled is None:
        return
    book(step, journey)
    change = change_engagement(journey, half_life)
    for person, tally in (rescaled or {}).items():
        if person not in change.people:
            change.people[person] = tally
            change.scores[person] = unpack(tally.score)
    # A person without an account is a journey, but no account that somebody in sales could look after.
    verdicts = run_alerts(step, journey, change, rules_name) if journey.id else []
    journey.store_header()
    if journey.conversions:
        write_conversions(step, journey)
    write_engagement(step, journey, change)
    if journey.id:
        write_account(step, journey, change)
    _write_alerts(step, journey, verdicts, messages)


def _write_alerts(step: Step, journey: Journey, verdicts: Sequence[Verdict], messages: Sequence[Account]) -> None:
    for verdict in verdicts:
        write_alert(step, journey, verdict, max(message.at for message in messages))


def _rescale(journey: Journey, half_life: int) -> dict[str, PersonTally] | None:
    """If the rules' half-life is no longer the account's: all its sums anew, from its touches. None if it still is."""
    if journey.header.half_life_ms in {0, half_life}:
        return None
    people, days = entries_by_day(journey, half_life)
    rescale_days(journey, days)
    return rescale_people(journey, people, half_life)
