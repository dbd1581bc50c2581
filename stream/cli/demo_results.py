"""What the demo shows in the end, as SQL over the views that every user has, and as values that ``--json`` prints.

Scores are as of the story's end, so that they are the same at every hour of the day.
"""

from typing import Any, Final

import msgspec

from schemas.rules import MODELS
from sinks.clickhouse.client import ClickHouse
from stream.cli.demo_story.story import Story
from stream.settings import Settings

_MOST_TOUCHES: Final = 13
"""Of the account whose journey is shown: a page's worth."""

_ATTRIBUTION: Final = """
SELECT channel, model, toFloat64(sum(amount)) FROM v_attribution WHERE stage = 'won' GROUP BY channel, model"""
_COSTS: Final = "SELECT channel, toFloat64(sum(amount)) FROM v_costs GROUP BY channel"
_STAGES: Final = """
SELECT stage, count(), uniqExact(account_id), toFloat64(sum(amount)) FROM v_conversions GROUP BY stage
ORDER BY indexOf(['signup', 'lead', 'open', 'discovery', 'proposal', 'won', 'lost'], stage), stage"""
_HOTTEST: Final = """
SELECT
    account_id, name, stage, people, touches, toString(toDate(last_touch_at)),
    round(engagement * exp2((toUnixTimestamp64Milli(now64(3)) - {end:Int64}) / ({half_life:Float64} * 86400000)), 2)
        AS score_then,
    round(100 * (1 - exp(-score_then / 30)), 1)
FROM v_accounts ORDER BY score_then DESC, account_id LIMIT 8"""
_PEOPLE: Final = """
SELECT
    person_id, touches,
    round(score * exp2((toUnixTimestamp64Milli(now64(3)) - {end:Int64}) / ({half_life:Float64} * 86400000)), 2)
        AS score_then
FROM v_engagement WHERE account_id = {account:String} ORDER BY score_then DESC, person_id LIMIT 5"""
_JOURNEY_OF: Final = """
SELECT account_id FROM v_touches WHERE account_id IN (SELECT account_id FROM v_conversions WHERE stage = 'won')
GROUP BY account_id HAVING count() BETWEEN 8 AND {most:UInt32}
ORDER BY uniqExact(channel) DESC, uniqExact(person_id) DESC, account_id LIMIT 1"""
_JOURNEY: Final = """
SELECT toString(occurred_at), what, person_id, channel, campaign, linear, u_shaped, amount FROM
(
    SELECT t.occurred_at AS occurred_at, t.type AS what, t.person_id AS person_id, t.channel AS channel,
        t.utm_campaign AS campaign, c.linear AS linear, c.u_shaped AS u_shaped, 0 AS amount
    FROM v_touches AS t LEFT JOIN
    (
        SELECT touch_id, toFloat64(sumIf(amount, model = 'linear')) AS linear,
            toFloat64(sumIf(amount, model = 'u_shaped')) AS u_shaped
        FROM v_ledger WHERE account_id = {account:String} AND stage = 'won' GROUP BY touch_id
    ) AS c ON t.touch_id = c.touch_id
    WHERE t.account_id = {account:String}
    UNION ALL
    SELECT occurred_at, concat('=> ', stage), person_id, '', '', 0, 0, toFloat64(amount)
    FROM v_conversions WHERE account_id = {account:String}
)
ORDER BY occurred_at, startsWith(what, '=>'), what"""
_ALERTS: Final = """
SELECT JSONExtractString(evidence, 'day') AS day, account_id, rule, threshold
FROM v_alerts WHERE withdrawn_at IS NULL ORDER BY day DESC, account_id LIMIT 5"""
_EMAIL: Final = "SELECT event, countIf(NOT is_machine), countIf(is_machine) FROM v_email GROUP BY event ORDER BY event"
_FIGURES: Final = """
SELECT
    (SELECT count() FROM v_events) AS events,
    (SELECT countIf(is_bot) FROM v_events) AS robots,
    (SELECT uniqExact(id) FROM v_dead_letters) AS refused,
    (SELECT count() FROM v_sessions) AS sessions,
    (SELECT count() FROM v_touches WHERE account_id != '') AS touches,
    (SELECT uniqExact(account_id) FROM v_accounts) AS accounts,
    (SELECT uniqExact(person_id) FROM v_touches WHERE account_id != '') AS people,
    (SELECT count() FROM v_alerts WHERE withdrawn_at IS NULL) AS alerts,
    (SELECT count() FROM v_ledger_check) AS unbalanced,
    (SELECT sum(duplicates) FROM v_audit_duplicates) AS twice"""
_ADVISER: Final = (
    "SELECT uniqExact(account_id), any(account_id), count() FROM v_touches WHERE person_id = {email:String}"
)


class Channel(msgspec.Struct, frozen=True):
    """What a channel won by each model, in EUR, and what it cost."""

    channel: str
    won: dict[str, float]
    cost: float


class Stage(msgspec.Struct, frozen=True):
    """How many reached a stage."""

    stage: str
    conversions: int
    accounts: int
    amount: float


class Account(msgspec.Struct, frozen=True):
    """An account as it was at the story's end."""

    account_id: str
    name: str
    stage: str
    people: int
    touches: int
    last_touch: str
    score: float
    intent: float


class Person(msgspec.Struct, frozen=True):
    """A person's part of the hottest account's score."""

    person_id: str
    touches: int
    score: float


class Moment(msgspec.Struct, frozen=True):
    """One line of a journey: a touch with the revenue credited to it, or a conversion (``what`` begins with =>)."""

    at: str
    what: str
    person_id: str
    channel: str
    campaign: str
    linear: float
    u_shaped: float
    amount: float


class Alert(msgspec.Struct, frozen=True):
    """An alert that stands: the day on which the score reached the threshold."""

    day: str
    account_id: str
    rule: str
    threshold: float


class Mails(msgspec.Struct, frozen=True):
    """Email events of one kind, by people and by machines."""

    event: str
    people: int
    machines: int


class Proof(msgspec.Struct, frozen=True):
    """What was sent and what is there, counted independently of each other."""

    sent: int
    repeated: int
    refused: int
    expected: int
    """Events that must be there: sent, less repetitions and rubbish."""
    kept: int
    alone: bool
    """Whether the story is all that the installation has; only then the two can be compared."""
    won_by_crm: float
    """Sum over the deals of the story."""
    won_by_model: dict[str, float]
    unbalanced: int
    """Conversions whose credits or amounts do not sum up."""
    twice: int
    """Rows that are there twice."""


class Results(msgspec.Struct, frozen=True):
    """All tables of the demo."""

    proof: Proof
    figures: dict[str, int]
    attribution: list[Channel]
    stages: list[Stage]
    hottest: list[Account]
    people: list[Person]
    journey_of: str
    journey: list[Moment]
    alerts: list[Alert]
    email: list[Mails]
    corrected_touches: int
    """Of the adviser, all of them on the account that the CRM says."""


def results(settings: Settings, told: Story, unwanted: int = 0, *, alone: bool = True) -> Results:
    """Ask for all tables.

    Args:
        settings: where ClickHouse is.
        told: the story that was played.
        unwanted: events of a webhook that the installation does not have.
        alone: whether nothing else was ever sent to it.
    """
    database = ClickHouse.connect(settings)
    try:
        return _results(database, told, unwanted, alone=alone)
    finally:
        database.close()


def _results(database: ClickHouse, told: Story, unwanted: int, *, alone: bool) -> Results:
    attribution = _attribution(database)
    figures = _figures(database)
    hottest = [Account(*row) for row in database.rows(_HOTTEST, **_then(database, told))]
    hottest_id = hottest[0].account_id if hottest else ""
    journey_of = next((row[0] for row in database.rows(_JOURNEY_OF, most=_MOST_TOUCHES)), "")
    where, account, moved = database.rows(_ADVISER, email=told.correction.email)[0]
    proof = Proof(
        told.sent - unwanted,
        told.repeated,
        figures["refused"],
        told.kept - unwanted,
        figures["events"],
        alone,
        told.won_cents / 100,
        {model: round(sum(channel.won[model] for channel in attribution), 2) for model in MODELS},
        figures.pop("unbalanced"),
        figures.pop("twice"),
    )
    return Results(
        proof,
        figures,
        attribution,
        [Stage(*row) for row in database.rows(_STAGES)],
        hottest,
        [Person(*row) for row in database.rows(_PEOPLE, account=hottest_id, **_then(database, told))],
        journey_of,
        [Moment(*row) for row in database.rows(_JOURNEY, account=journey_of)],
        [Alert(*row) for row in database.rows(_ALERTS)],
        [Mails(*row) for row in database.rows(_EMAIL)],
        moved if (where, account) == (1, told.correction.company.crm_id) else 0,
    )


def _attribution(database: ClickHouse) -> list[Channel]:
    won: dict[str, dict[str, float]] = {}
    for channel, model, amount in database.rows(_ATTRIBUTION):
        won.setdefault(channel, dict.fromkeys(MODELS, 0.0))[model] = round(amount, 2)
    costs = dict(database.rows(_COSTS))
    found = [Channel(channel, amounts, round(costs.get(channel, 0.0), 2)) for channel, amounts in won.items()]
    return sorted(found, key=lambda channel: (-channel.won["linear"], channel.channel))


def _figures(database: ClickHouse) -> dict[str, int]:
    names = (
        "events",
        "robots",
        "refused",
        "sessions",
        "touches",
        "accounts",
        "people",
        "alerts",
        "unbalanced",
        "twice",
    )
    return dict(zip(names, map(int, database.rows(_FIGURES)[0]), strict=True))


def _then(database: ClickHouse, told: Story) -> dict[str, Any]:
    """Parameters for scores as of the story's end."""
    half_life = next((row[0] for row in database.rows("SELECT any(half_life_days) FROM v_engagement")), 0) or 14.0
    return {"end": told.ends_at, "half_life": half_life}
