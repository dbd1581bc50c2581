"""What the doctor thinks of what it measures: each limit from both sides."""

import json
import subprocess
import sys

import pytest

from stream.cli import doctor_judgement as judge
from stream.cli.lag import Lag
from stream.settings import Config, Settings, Source, Webhook
from tests.support.machine import free_ports

GB = 1 << 30


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("26.9.1.1", "ok"), ("26.8.1.1", "ok"), ("26.4.9.9", "ok"), ("25.3.1.1", "ok"), ("27.1.1.1", "ok"),
        ("26.5.7.19", "fail"), ("26.5.7.20", "ok"), ("26.6.3.18", "fail"), ("26.6.3.19", "ok"),
        ("26.7.3.8", "fail"), ("26.7.3.9", "ok"), ("26.7.10.1", "ok"), ("24.8.14.39", "warn"), ("unknown", "warn"),
    ],
)  # fmt: skip
def test_versions_that_lose_rows_are_refused(version, level):
    assert judge.judge_version(version).level == level


def lag(position: int, end: int, partition: int = 0) -> Lag:
    return Lag("touchline", "events", partition, position, end)


def test_a_reader_at_the_end_is_fine_though_it_does_not_move():
    assert judge.judge_lag("touchline", [lag(9, 9)], [lag(9, 9)], 2.0).level == "ok"


def test_a_reader_that_is_behind_and_does_not_move_has_stopped():
    check = judge.judge_lag("touchline", [lag(5, 9), lag(9, 9, 1)], [lag(5, 12), lag(9, 9, 1)], 2.0)
    assert check.level == "fail"
    assert "events/0" in check.what
    assert "touchline worker" in check.advice


def test_a_sink_that_stands_still_is_named_as_the_sink():
    assert "touchline sink" in judge.judge_lag("sink", [lag(5, 9)], [lag(5, 9)], 2.0).advice


def test_a_reader_that_never_committed_and_has_work_has_stopped():
    assert judge.judge_lag("touchline", [lag(-1, 3)], [lag(-1, 3)], 2.0).level == "fail"


def test_a_reader_far_behind_that_moves_is_catching_up():
    check = judge.judge_lag("touchline", [lag(0, 50_000)], [lag(4_000, 50_000)], 2.0)
    assert check.level == "warn"
    assert check.what == "46,000 records behind, 2,000 a second"


@pytest.mark.parametrize(("late_ms", "level"), [(0, "ok"), (14_000, "ok"), (16_000, "warn"), (121_000, "fail")])
def test_rows_must_follow_events(late_ms, level):
    assert judge.judge_freshness(1_000_000, 1_000_000 - late_ms).level == level


def test_an_installation_without_events_is_fresh_and_one_without_rows_is_not():
    assert judge.judge_freshness(0, 0).level == "ok"
    assert judge.judge_freshness(1_000_000, 0).level == "fail"


def test_dead_letters_above_one_percent_are_a_warning_and_say_what_the_sender_does():
    assert judge.judge_dead_letters({}, 5).level == "ok"
    assert judge.judge_dead_letters({"bad_time": 1}, 99).level == "ok"
    refused = judge.judge_dead_letters({"bad_time": 7, "refused": 1}, 1_000_000)
    assert refused.level == "fail"
    assert "the tables lack them" in refused.advice
    check = judge.judge_dead_letters({"bad_time": 1, "unknown_key": 3}, 96)
    assert check.level == "warn"
    assert check.what == "3 unknown_key, 1 bad_time in the last day, of 100 events"
    assert "write key" in check.advice


@pytest.mark.parametrize(
    ("free", "total", "level"), [(50 * GB, 100 * GB, "ok"), (6 * GB, 1000 * GB, "ok"), (4 * GB, 100 * GB, "warn"),
                                 (2 * GB, 10 * GB, "ok"), (GB // 4, 100 * GB, "fail")],
)  # fmt: skip
def test_disks_fill_up(free, total, level):
    assert judge.judge_disk("/", free, total).level == level


@pytest.mark.parametrize(
    ("configured_with", "level"),
    [
        ("'--with-lto' '--enable-optimizations' '--prefix=/opt'", "ok"),
        ("'--enable-shared' '--prefix=/usr' '--libdir=/usr/lib/x86_64-linux-gnu'", "ok"),
        ("", "ok"),
        ("'--enable-shared' '--prefix=/opt'", "warn"),
        ("'--prefix=/usr/local'", "warn"),
    ],
)
def test_a_python_that_was_built_without_optimizations_is_slow(configured_with, level):
    check = judge.judge_python("3.12.1", configured_with)
    assert check.level == level
    assert bool(check.advice) == (level == "warn")


@pytest.mark.parametrize(
    ("jemalloc", "chosen", "words"),
    [
        (None, None, "apt install libjemalloc2"),
        ("libjemalloc.so.2", None, "jemalloc (libjemalloc.so.2)"),
        ("libjemalloc.so.2", "", "LD_PRELOAD="),
        (None, "libmimalloc.so", "LD_PRELOAD=libmimalloc.so"),
    ],
)
def test_it_says_what_a_worker_allocates_with(jemalloc, chosen, words):
    check = judge.judge_malloc(jemalloc, chosen)
    assert check.level == "ok"
    assert words in check.what


@pytest.mark.parametrize(("limit", "level"), [(256, "fail"), (1024, "warn"), (4096, "ok"), (1 << 20, "ok")])
def test_few_open_files_are_a_problem(limit, level):
    assert judge.judge_files(limit).level == level


@pytest.mark.parametrize(
    ("ahead", "level"), [(0.2, "ok"), (-6.0, "warn"), (6.0, "warn"), (61.0, "fail"), (-61.0, "fail")]
)
def test_clocks_must_agree(ahead, level):
    assert judge.judge_clock(ahead).level == level


def test_topics_must_be_there_with_the_partitions_of_the_settings():
    assert judge.judge_topics(["events", "alerts"], {"events": 4, "alerts": 4}, 4).level == "ok"
    assert judge.judge_topics(["events", "alerts"], {"events": 4}, 4).what == "missing: alerts"
    assert judge.judge_topics(["events"], {"events": 8}, 4).what == "events has 8 partitions, expected 4"


def test_migrations_must_be_those_of_this_version():
    assert judge.judge_migrations(["0001_a", "0002_b"], ["0001_a", "0002_b"]).level == "ok"
    assert judge.judge_migrations(["0001_a", "0002_b"], ["0001_a"]).advice == "run `touchline setup`"
    assert "newer" in judge.judge_migrations(["0001_a"], ["0001_a", "0002_b"]).advice


def test_the_key_that_everybody_knows_is_for_loopback_only():
    assert judge.judge_config(Config(), Settings(), ()).level == "ok"
    assert judge.judge_config(Config(), Settings(host="0.0.0.0"), ()).level == "warn"
    own = Config(sources=(Source("website", "k3y"),))
    assert judge.judge_config(own, Settings(host="0.0.0.0"), ()).level == "ok"


def test_a_configuration_that_lets_nobody_in_or_mixes_two_up_is_a_fault():
    assert judge.judge_config(Config(sources=()), Settings(), ()).level == "fail"
    twins = Config(sources=(Source("website", "k"), Source("app", "k")))
    assert judge.judge_config(twins, Settings(), ()).level == "fail"
    hooks = (Webhook("brevo", "main", "a"), Webhook("brevo", "main", "b"))
    assert judge.judge_config(Config(webhooks=hooks), Settings(), ()).level == "fail"
    check = judge.judge_config(Config(), Settings(), ("ses/main: topics is empty", "resend/eu: no secret"))
    assert (check.level, check.what.partition("; ")[2]) == ("fail", "ses/main: topics is empty; resend/eu: no secret")
    assert "docs/email.md" in check.advice


def test_a_law_that_does_not_hold_is_a_fault():
    assert judge.judge_law("credit adds up", 0, "v_ledger_check").level == "ok"
    assert judge.judge_law("credit adds up", 1, "v_ledger_check").level == "fail"


def test_a_missing_rate_is_a_warning_where_rates_are_used():
    assert judge.judge_rates(0, ["USD"]).level == judge.judge_rates(9, []).level == "ok"
    found = judge.judge_rates(9, ["USD", ""])
    assert (found.level, found.what) == ("warn", "missing for amounts without a currency, USD")


def test_where_nothing_runs_it_says_so_and_fails(tmp_path):
    http, sql, broker = map(str, free_ports(3))
    ports = ["--http-port", http, "--sql-port", sql, "--broker-port", broker, "--data", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "stream.cli.main", "doctor", "--json", *ports],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {check["name"]: check for check in json.loads(run.stdout)}
    assert run.returncode == 1
    assert run.stderr == ""
    assert {found[name]["level"] for name in ("broker", "ClickHouse")} == {"fail"}
    assert found["collector"]["level"] == "warn"
