"""docs/sql.md names every column of every view with its type, and the contract's columns are among them."""

import re
from pathlib import Path

from sinks.clickhouse.client import ClickHouse
from sinks.clickhouse.migrations import FOLDER, PUBLIC

DOCUMENT = Path(__file__).parents[3] / "docs" / "sql.md"

CONTRACT = {
    "v_events": "tenant, event_id, occurred_at, received_at, source, type, name, visitor_id, user_id, email, person_id,"
    " account_id, session_id, channel, utm_source, utm_medium, utm_campaign, url, referrer, is_bot, bot_reason, properties",
    "v_sessions": "tenant, session_id, visitor_id, person_id, account_id, started_at, ended_at, page_views, events, engaged,"
    " channel, utm_source, utm_medium, utm_campaign, landing_url, exit_url",
    "v_touches": "tenant, touch_id, account_id, person_id, occurred_at, type, channel, utm_source, utm_medium,"
    " utm_campaign, session_id, event_id",
    "v_identity": "tenant, node, kind, person_id, account_id, since, source",
    "v_accounts": "tenant, account_id, name, domain, people, first_touch_at, last_touch_at, touches, stage, engagement,"
    " intent",
    "v_conversions": "tenant, conversion_id, account_id, person_id, stage, occurred_at, amount, currency",
    "v_ledger": "tenant, conversion_id, account_id, stage, model, model_version, touch_id, channel, utm_source, utm_medium,"
    " utm_campaign, credit, amount, currency, touch_at, conversion_at, recorded_at, reason, cause_event_id",
    "v_attribution": "tenant, model, stage, channel, utm_source, utm_medium, utm_campaign, conversions, amount, currency,"
    " month",
    "v_attribution_as_of": "tenant, model, stage, channel, utm_source, utm_medium, utm_campaign, conversions, amount,"
    " currency, month",
    "v_engagement": "tenant, account_id, person_id, score, as_of, half_life_days",
    "v_alerts": "tenant, alert_id, rule, account_id, fired_at, withdrawn_at, delivered_at, score, evidence",
    "v_email": "tenant, message_id, recipient, campaign, event, occurred_at, is_machine, reason",
    "v_dead_letters": "tenant, received_at, source, reason, detail, bytes",
}


def documented() -> dict[str, list[tuple[str, str]]]:
    views: dict[str, list[tuple[str, str]]] = {}
    for part in DOCUMENT.read_text().split("\n## ")[1:]:
        rows = re.findall(r"^\| (\w+) \| ([^|]+) \| [^|]+ \|$", part, re.MULTILINE)
        views[part.split("\n")[0]] = [(name, type_) for name, type_ in rows if name != "column"]
    return views


def test_documented_columns_are_the_columns_of_the_views(database: ClickHouse) -> None:
    views = documented()
    assert set(views) == {path.stem for name in PUBLIC for path in (FOLDER / name).glob("*.sql")}
    for view, columns in views.items():
        source = f"{view}(as_of = '2026-09-30')" if view.endswith("as_of") else view
        described = database.rows(f"DESCRIBE (SELECT * FROM {source})")
        assert [(name, type_) for name, type_, *_ in described] == columns


def test_views_have_the_columns_of_the_contract() -> None:
    views = {view: {name for name, _ in columns} for view, columns in documented().items()}
    missing = {view: set(names.split(", ")) - views[view] for view, names in CONTRACT.items()}
    assert all(not names for names in missing.values()), missing
