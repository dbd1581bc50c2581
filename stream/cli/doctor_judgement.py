"""The doctor's judgement: what was measured -> ok, warn or fail, in words, with what to do. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from stream.cli.lag import Lag
from stream.settings import Config, Settings

Level = Literal["ok", "warn", "fail"]

_OLDEST: Final = (25, 3)
"""Older versions of ClickHouse may work; nobody has tried."""
_LEAST_PATCH: Final[dict[tuple[int, ...], tuple[int, ...]]] = {(26, 5): (7, 20), (26, 6): (3, 19), (26, 7): (3, 9)}
"""Below these, inserts with deduplication tokens can lose rows or crash the server (ClickHouse 111031, 112649)."""
_MANY_BEHIND: Final = 10_000
_STALE_S: Final = 15.0
_FAR_STALE_S: Final = 120.0
_SKEW_S: Final = 5.0
_FAR_SKEW_S: Final = 60.0
_LOW_DISK: Final = 5 << 30
_NO_DISK: Final = 500 << 20
_FILES: Final = 4096
_FEW_FILES: Final = 512
_MANY_LETTERS: Final = 0.01
_ADVICE_BY_REASON: Final = {
    "unknown_key": "a sender uses a write key that touchline.toml does not have",
    "too_large": "a sender exceeds max_event_bytes or max_body_bytes",
    "too_many": "a sender exceeds max_batch_events",
    "bad_time": "a sender's clock or date format is broken",
    "missing_field": "a sender leaves out who or what it was",
    "malformed": "a sender sends broken JSON",
    "too_deep": "a sender nests its properties too deep",
    "not_utf8": "a sender sends text that is not UTF-8",
    "bad_value": "a sender sends values of a wrong kind",
    "unsupported": "a sender sends types of events that there are none of",
    "refused": "ClickHouse does not take rows, and the tables lack them: see docs/operations.md, Refused rows",
    "bug": "our own code failed on them: please report it with the bytes",
}


class Check(msgspec.Struct, frozen=True):
    """One finding: how it is, what was seen, and what to do if that is not fine."""

    name: str
    level: Level
    what: str
    advice: str = ""


def judge_version(text: str) -> Check:
    """ClickHouse's version.

    >>> judge_version("26.9.1.1").level, judge_version("26.6.3.18").level, judge_version("24.8.1.1").level
    ('ok', 'fail', 'warn')
    """
    name = "ClickHouse version"
    numbers = tuple(int(part) for part in re.findall(r"\d+", text)[:4])
    if len(numbers) < 2:  # noqa: PLR2004
        return Check(name, "warn", f"{text!r} is no version that I know", "see docs/operations.md, versions")
    release, patch = numbers[:2], numbers[2:]
    least = _LEAST_PATCH.get(release)
    if least is not None and patch < least:
        fixed = ".".join(map(str, (*release, *least)))
        return Check(name, "fail", f"{text} can lose rows of retried inserts", f"upgrade to {fixed} or 26.8 and later")
    if release < _OLDEST:
        return Check(name, "warn", f"{text} is older than anything that was tried", "upgrade to 25.3 or later")
    return Check(name, "ok", text)


def judge_config(config: Config, settings: Settings, webhook_faults: Sequence[str]) -> Check:
    """``touchline.toml``: sources, webhooks, and what is unsafe about them."""
    name = "configuration"
    what = f"{len(config.sources)} sources, {len(config.webhooks)} webhooks, rules {config.rules.version!r}"
    if webhook_faults:
        return Check(
            name, "fail", f"{what}; {'; '.join(webhook_faults)}",
            "see docs/email.md; until then every delivery is answered 401",
        )  # fmt: skip
    paths = [(hook.provider, hook.name) for hook in config.webhooks]
    if len(set(paths)) < len(paths):
        return Check(name, "fail", f"{what}; two webhooks have the same path", "give each a name of its own")
    if not config.sources:
        return Check(name, "fail", f"{what}: no SDK may send anything", "add a [[sources]] entry to touchline.toml")
    keys = [source.key for source in config.sources]
    if len(set(keys)) < len(keys):
        return Check(name, "fail", f"{what}; two sources have the same key", "give each source a key of its own")
    if "dev" in keys and not _is_loopback(settings.host):
        return Check(
            name, "warn", f"{what}; bound to {settings.host} with the key that everybody knows (dev)",
            "choose another key in touchline.toml",
        )  # fmt: skip
    return Check(name, "ok", what)


def judge_topics(expected: Sequence[str], found: Mapping[str, int], partitions: int) -> Check:
    """Topics: which are missing, which have another number of partitions. ``found``: partitions by name."""
    missing = [name for name in expected if name not in found]
    wrong = [f"{name} has {found[name]}" for name in expected if found.get(name, partitions) != partitions]
    if missing:
        return Check("topics", "fail", f"missing: {', '.join(missing)}", "run `touchline setup`")
    if wrong:
        return Check(
            "topics", "fail", f"{', '.join(wrong)} partitions, expected {partitions}",
            "set TOUCHLINE_PARTITIONS to what the topics have; it cannot change once events are in",
        )  # fmt: skip
    return Check("topics", "ok", f"{len(expected)} topics of {partitions} partitions")


def judge_migrations(shipped: Sequence[str], applied: Sequence[str]) -> Check:
    """Migrations by name."""
    fresh = [name for name in shipped if name not in applied]
    unknown = [name for name in applied if name not in shipped]
    if unknown:
        return Check(
            "migrations", "fail", f"the database has {', '.join(unknown)}, which this version does not know",
            "a newer version set it up: upgrade this one",
        )  # fmt: skip
    if fresh:
        return Check("migrations", "fail", f"not applied: {', '.join(fresh)}", "run `touchline setup`")
    return Check("migrations", "ok", f"all {len(shipped)} applied")


def judge_lag(group: str, before: Sequence[Lag], after: Sequence[Lag], seconds: float) -> Check:
    """One consumer group, looked at twice: how far it is behind, and whether it moves."""
    behind = sum(lag.behind for lag in after)
    moved = sum(max(0, lag.position) for lag in after) - sum(max(0, lag.position) for lag in before)
    name = f"lag of {group}"
    what = f"{behind:,} records behind, {moved / seconds:,.0f} a second"
    stuck = [
        f"{b.topic}/{b.partition}" for b, a in zip(before, after, strict=True) if b.behind and a.position <= b.position
    ]
    if stuck:
        who = "`touchline sink`" if group == "sink" else "`touchline worker`"
        return Check(
            name, "fail", f"{what}; nothing moves on {', '.join(stuck[:4])}{' and more' if len(stuck) > 4 else ''}",  # noqa: PLR2004
            f"is {who} running? Its log says why not",
        )  # fmt: skip
    if behind > _MANY_BEHIND:
        return Check(name, "warn", what, "it is catching up; if this stays, add workers (docs/operations.md, scaling)")
    return Check(name, "ok", what)


def judge_freshness(newest_event_ms: int, newest_row_ms: int) -> Check:
    """Received times of the newest event on the log and of the newest row in ClickHouse, ms; 0: there is none."""
    name = "freshness"
    if not newest_event_ms:
        return Check(name, "ok", "no events yet")
    late_s = (newest_event_ms - newest_row_ms) / 1000
    if not newest_row_ms or late_s > _FAR_STALE_S:
        how = f"{late_s:,.0f} s" if newest_row_ms else "completely"
        return Check(
            name, "fail", f"ClickHouse is {how} behind the log", "see the lag above: worker or sink stands still"
        )
    if late_s > _STALE_S:
        return Check(name, "warn", f"ClickHouse is {late_s:,.0f} s behind the log", "see the lag above")
    return Check(name, "ok", f"the newest event is in ClickHouse ({max(0.0, late_s):.1f} s behind the log)")


def judge_dead_letters(by_reason: Mapping[str, int], events: int) -> Check:
    """Refused in the last day, by reason, against ``events`` that were taken."""
    name = "dead letters"
    total = sum(by_reason.values())
    if not total:
        return Check(name, "ok", "none in the last day")
    listed = ", ".join(
        f"{count:,} {reason}" for reason, count in sorted(by_reason.items(), key=lambda e: (-e[1], e[0]))
    )
    most = "refused" if "refused" in by_reason else max(by_reason, key=lambda reason: (by_reason[reason], reason))
    advice = _ADVICE_BY_REASON.get(most, "look at them") + "; see v_dead_letters"
    level: Level = "warn" if total > _MANY_LETTERS * (events + total) else "ok"
    if most == "refused":
        level = "fail"
    what = f"{listed} in the last day, of {events + total:,} events"
    return Check(name, level, what, "" if level == "ok" else advice)


def judge_law(name: str, violations: int, view: str) -> Check:
    """A law of the numbers that must hold always."""
    if not violations:
        return Check(name, "ok", "holds")
    return Check(
        name, "fail", f"{violations:,} violations, see {view}",
        "run `touchline verify` and report it with its output: this must never happen",
    )  # fmt: skip


def judge_rates(rates: int, missing: Sequence[str]) -> Check:
    """Exchange rates, and the currencies for which one is missing on some day. Who sends no rates wants none."""
    name = "exchange rates"
    if not rates:
        return Check(name, "ok", "none in use")
    if not missing:
        return Check(name, "ok", "none is missing")
    listed = ", ".join(currency or "amounts without a currency" for currency in sorted(missing))
    return Check(name, "warn", f"missing for {listed}", "send them to /v1/fx; the days are in v_fx_missing")


def judge_disk(where: str, free: int, total: int) -> Check:
    """Free bytes at ``where``."""
    name = f"disk of {where}"
    what = f"{free / (1 << 30):,.1f} GB of {total / (1 << 30):,.0f} GB free"
    if free < _NO_DISK:
        return Check(name, "fail", what, "make room now: a full disk stops the broker, and with it the collector")
    if free < min(_LOW_DISK, 0.1 * total):
        return Check(name, "warn", what, "make room soon")
    return Check(name, "ok", what)


def judge_everyday(why_not: str) -> Check:
    """Whether workers take everyday events in C; ``why_not`` is "" if they do.

    >>> judge_everyday("").level, judge_everyday("not built (No module named 'x')").level
    ('ok', 'warn')
    """
    name = "everyday events"
    if not why_not:
        return Check(name, "ok", "handled in C")
    return Check(
        name, "warn", f"handled in Python, which is slower and gives the same: {why_not}",
        "install a C compiler (gcc or clang) and then touchline again; `python build_native.py` in a checkout",
    )  # fmt: skip


def judge_python(version: str, configured_with: str) -> Check:
    """Whether this Python was built by what its compiler had seen it do; pyenv and plain ``./configure`` leave that out.

    Args:
        version: as ``platform.python_version`` has it.
        configured_with: the options of its ``configure``; "" where there was none, as on Windows.

    >>> judge_python("3.12.1", "'--with-lto' '--enable-optimizations'").level, judge_python("3.11.7", "'--enable-shared'").level
    ('ok', 'warn')
    """
    name = "Python"
    # Distributions build with profiles in ways of their own: Debian's options do not tell.
    if not configured_with or "--enable-optimizations" in configured_with or "'--prefix=/usr'" in configured_with:
        return Check(name, "ok", version)
    return Check(
        name, "warn", f"{version}, built without --enable-optimizations: workers take a tenth more CPU",
        "use the system's Python or that of python.org or uv, or build it anew: "
        "PYTHON_CONFIGURE_OPTS='--enable-optimizations --with-lto' pyenv install",
    )  # fmt: skip


def judge_malloc(jemalloc: str | None, chosen: str | None) -> Check:
    """What a worker of this machine allocates with.

    Args:
        jemalloc: the machine's library; None if it has none.
        chosen: what ``LD_PRELOAD`` says, None if it is not set.

    >>> judge_malloc("libjemalloc.so.2", None).what
    'jemalloc (libjemalloc.so.2)'
    """
    name = "malloc"
    if chosen is not None:
        return Check(name, "ok", f"LD_PRELOAD={chosen}")
    if jemalloc is not None:
        return Check(name, "ok", f"jemalloc ({jemalloc})")
    return Check(name, "ok", "the system's; with jemalloc (apt install libjemalloc2) a busy worker takes 7 % less CPU")


def judge_files(limit: int) -> Check:
    """How many files a process may have open."""
    name = "open files"
    if limit < _FEW_FILES:
        return Check(
            name, "fail", f"at most {limit:,} a process", "raise it: `ulimit -n 65536`, or LimitNOFILE in systemd"
        )
    if limit < _FILES:
        return Check(
            name, "warn", f"at most {limit:,} a process", "enough to try; raise it for production: `ulimit -n 65536`"
        )
    return Check(name, "ok", f"at most {limit:,} a process")


def judge_clock(ahead_s: float) -> Check:
    """How far this machine's clock is ahead of ClickHouse's, s (negative: behind)."""
    name = "clock"
    what = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} ClickHouse's"
    if abs(ahead_s) > _FAR_SKEW_S:
        return Check(name, "fail", what, "set the clocks (NTP): scores and ticks depend on them")
    if abs(ahead_s) > _SKEW_S:
        return Check(name, "warn", what, "set the clocks (NTP)")
    return Check(name, "ok", what)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
