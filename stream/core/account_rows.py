"""The account stage's rows: each entity of an account that a record changed, once, as it is after the record.

Tables ``accounts``, ``engagement``, ``conversions`` and ``alerts``, and the alerts' messages to people. The ledger writes
its own rows.
"""

from typing import Final

import msgspec

from schemas import ids
from schemas.alerts import Alert, Evidence, EvidenceTouch
from schemas.codec import json_encoder
from schemas.facts import AccountRow, AlertRow, ConversionRow, EngagementRow
from schemas.messages import BEGINNING
from schemas.money import decimal_text
from stream.core.engagement import DAY_MS, NOTHING, EngagementChange, log2_score, person_id, score_at
from stream.core.intent import (
    Fired,
    Verdict,
    alert_id,
    day_text,
    day_touches,
    record_fired,
    record_withdrawn,
    take_withdrawn,
)
from stream.core.journey import Header, Journey
from stream.core.step import Step

_FRESH_MS: Final = 3_600_000
"""An alert about activity older than this is booked but sent to nobody: a backfill must not ring. Unless people last heard of
this very alert that it was withdrawn."""
_EVIDENCE_TOUCHES: Final = 10


def write_account(step: Step, journey: Journey, change: EngagementChange) -> None:
    """One row of ``accounts``."""
    h = journey.header
    row = AccountRow(
        journey.tenant,
        journey.id,
        account_name(journey.account, h),
        account_domain(journey.account, h),
        h.parent,
        h.owner,
        h.people,
        h.touches,
        h.first_touch_at,
        h.last_touch_at,
        h.stage or h.profile_stage,
        log2_score(change.score) if change.score > 0 else NOTHING,
        h.half_life_ms / DAY_MS,
        not h.entries and not h.conversions and h.profile_at == BEGINNING,
        step.offset,
        step.partition,
        step.offset,
        step.next_row("accounts"),
    )
    step.fact("accounts", row)


def account_domain(account: str, header: Header) -> str:
    """The profile's domain, else the node's own if it is one."""
    return header.domain or (ids.value(account) if ids.kind(account) == ids.DOMAIN else "")


def account_name(account: str, header: Header) -> str:
    """What to call the account: its name, else its domain, else its id."""
    return header.name or account_domain(account, header) or ids.value(account)


def write_engagement(step: Step, journey: Journey, change: EngagementChange) -> None:
    """A row of ``engagement`` for each person concerned; person "" has the touches that are no person's."""
    tenant, account = journey.tenant, journey.id
    days = journey.header.half_life_ms / DAY_MS
    first = step.next_row("engagement")
    for number, (person, tally) in enumerate(change.people.items(), first):
        total = change.scores[person]
        row = EngagementRow(
            tenant,
            account,
            person,
            log2_score(total),
            (total > 0) - (total < 0),
            tally.touches,
            days,
            step.offset,
            step.partition,
            step.offset,
            number,
        )
        step.fact("engagement", row)


def write_conversions(step: Step, journey: Journey) -> None:
    """A row of ``conversions`` for each that changed. Of two with one id (its time changed) the standing one counts."""
    latest = {}
    for change in journey.conversions.values():
        stored = change.after or change.before
        assert stored is not None, "a settled change has a side"
        content = stored.content
        if change.after is not None or content.id not in latest:
            latest[content.id] = (content, change.after is None)
    for content, deleted in latest.values():
        row = ConversionRow(
            journey.tenant,
            content.id,
            journey.id,
            "" if journey.id else journey.account[journey.account.index("/") + 1 :],
            person_id(content.person),
            content.stage,
            content.at,
            decimal_text(content.amount, content.currency),
            content.currency,
            content.opportunity,
            content.event_id,
            deleted,
            step.offset,
            step.partition,
            step.offset,
            step.next_row("conversions"),
        )
        step.fact("conversions", row)


def write_alert(step: Step, journey: Journey, verdict: Verdict, at: int) -> None:
    """Book an alert that fires or is withdrawn; tell people, unless it is about old activity of which they never heard.

    Args:
        step: takes the row and the message.
        journey: the account.
        verdict: what ``run_alerts`` found.
        at: append time (ms) of the frame that set it off.
    """
    if verdict.withdrawn is not None:
        if verdict.withdrawn.sent:
            record_withdrawn(journey, verdict)
        _book_alert(step, journey, verdict, verdict.withdrawn, at)
    else:
        fired = _new_alert(step, journey, verdict, at)
        record_fired(journey, verdict, fired)
        _book_alert(step, journey, verdict, fired, 0)


def _new_alert(step: Step, journey: Journey, verdict: Verdict, at: int) -> Fired:
    rule = verdict.new
    assert rule is not None, "a verdict either fires or withdraws"
    half_life = journey.header.half_life_ms
    touches = [t for t in day_touches(journey, verdict.day) if t.points]
    top = sorted(touches, key=lambda t: (-t.points, t.at, t.id))[:_EVIDENCE_TOUCHES]
    evidence = Evidence(
        day_text(verdict.day),
        round(score_at(verdict.score_before, verdict.day * DAY_MS, half_life), 3),
        half_life / DAY_MS,
        [EvidenceTouch(t.id, t.at, t.type, t.channel, person_id(t.person), t.points / 1000) for t in top],
    )
    score = round(score_at(verdict.score, touches[-1].at, half_life), 3)
    fresh = at - max(max(t.at, t.last_at) for t in touches) <= _FRESH_MS
    again = take_withdrawn(journey, verdict)
    return Fired(step.rules.version, at, score, rule.threshold, evidence, fresh or again)


def _book_alert(step: Step, journey: Journey, verdict: Verdict, fired: Fired, withdrawn_at: int) -> None:
    account = journey.account
    tenant = journey.tenant
    identity = alert_id(account, tenant, verdict.rule, verdict.day)
    row = AlertRow(
        tenant,
        identity,
        verdict.rule,
        fired.rule_version,
        journey.id,
        fired.fired_at,
        withdrawn_at,
        fired.score,
        fired.threshold,
        msgspec.Raw(json_encoder.encode(fired.evidence)),
        step.offset,
        step.partition,
        step.offset,
        step.next_row("alerts"),
    )
    step.fact("alerts", row)
    if fired.sent:
        h = journey.header
        message = Alert(
            identity,
            verdict.rule,
            fired.rule_version,
            tenant,
            journey.id,
            account_name(account, h),
            account_domain(account, h),
            fired.score,
            fired.threshold,
            fired.fired_at,
            withdrawn_at,
            fired.evidence,
        )
        step.alert(account, message)
