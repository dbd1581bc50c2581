"""``settings`` and ``topology``: what they show is what the code says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.facts import TABLES
from schemas.topics import TOPICS
from stream.cli.main import cli
from stream.cli.settings import markdown
from stream.cli.topology import topology_of
from stream.settings import Settings, rows

ROOT = Path(__file__).parents[3]


def test_the_settings_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")

    assert page == markdown(rows(Settings())), "run: touchline settings --markdown > docs/settings.md"


def test_settings_as_json_has_every_setting_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_HTTP_PORT", "9000")
    found = {row["name"]: row for row in json.loads(CliRunner().invoke(cli, ["settings", "--json"]).output)}

    assert list(found) == [row.name for row in rows(Settings())]
    assert (found["http_port"]["value"], found["http_port"]["default"]) == ("9000", "8080")


@pytest.mark.parametrize("flags", [[], ["--json"], ["--markdown"]])
def test_no_secret_is_shown(flags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_CLICKHOUSE_PASSWORD", "open-sesame")
    done = CliRunner().invoke(cli, ["settings", *flags])

    assert done.exit_code == 0
    assert "sesame" not in done.output


def test_the_table_of_settings_names_every_flag() -> None:
    output = CliRunner().invoke(cli, ["settings"], env={"COLUMNS": "200"}).output

    for row in rows(Settings()):
        assert "--" + row.name.replace("_", "-") in output


def test_topology_has_every_topic_and_table_under_its_full_name() -> None:
    found = json.loads(CliRunner().invoke(cli, ["topology", "--json", "--topic-prefix", "eu."]).output)

    assert [topic["name"] for topic in found["topics"]] == ["eu." + topic.name for topic in TOPICS]
    assert [table["name"] for table in found["tables"]] == list(TABLES)
    assert found["partitions"] == 4


def test_a_stage_reads_and_writes_what_the_topics_say() -> None:
    stages = {stage.name: stage for stage in topology_of(Settings()).stages}

    assert {"collect", "stitch", "account", "sink", "notify"} <= stages.keys()
    assert stages["stitch"].reads == ["events", "state.stitch"]
    assert stages["account"].reads == ["accounts", "state.account"]
    assert set(stages["sink"].reads) == {"stitch-facts", "account-facts", "dead-letters"}
    assert stages["collect"].reads == []


def test_topology_prints_every_topic_stage_and_table() -> None:
    output = CliRunner().invoke(cli, ["topology"], env={"COLUMNS": "200"}).output

    for name in (*(topic.name for topic in TOPICS), *TABLES, "[stitch]", "[sink]"):
        assert name in output
