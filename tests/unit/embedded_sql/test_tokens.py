"""Tokens whose part never came to be are taken back; all others stay."""

from pathlib import Path

import pytest

from stream.embedded.sql.tokens import orphans, take_back_orphans


def added(part: str, token: str) -> bytes:
    return f"1\t{part}\t{token}".encode()


def taken_back(part: str, token: str) -> bytes:
    return f"2\t{part}\t{token}".encode()


@pytest.mark.parametrize(
    ("lines", "parts", "lost"),
    [
        pytest.param([added("all_1_1_0", "a")], ["all_1_1_0"], [], id="there"),
        pytest.param(
            [added("all_1_1_0", "a"), added("all_2_2_0", "b")], ["all_1_1_0"], ["b"], id="the last one is not"
        ),
        pytest.param(
            [added("all_1_1_0", "a")], ["detached", "deduplication_logs", "format_version.txt"], ["a"], id="none is"
        ),
        pytest.param([added("all_3_3_0", "c")], ["all_1_5_2"], [], id="in a merged one"),
        pytest.param([added("all_3_3_0", "c")], ["all_1_5_2_9"], [], id="in a mutated one"),
        pytest.param(
            [added("all_3_3_0", "c")], ["tmp_insert_all_3_3_0", "all_1_2_1"], ["c"], id="not yet in its place"
        ),
        pytest.param(
            [added("202611_7_7_0", "nov"), added("202612_8_8_0", "dec")],
            ["202611_7_7_0"],
            ["dec"],
            id="each month by itself",
        ),
        pytest.param(
            [added("all_2_2_0", "b"), taken_back("all_2_2_0", "b")], ["all_1_1_0"], [], id="taken back before"
        ),
        pytest.param(
            [added("all_2_2_0", "b"), taken_back("all_2_2_0", "b"), added("all_3_3_0", "b")],
            ["all_1_1_0"],
            ["b"],
            id="taken back and lost again",
        ),
        pytest.param([b"", b"1\tall_9_9_0", b"x"], ["all_1_1_0"], [], id="what is no line of it"),
    ],
)
def test_tokens_without_a_part(lines, parts, lost) -> None:
    assert [line.split(b"\t")[2].decode() for line in orphans(lines, parts)] == lost


def table(store: Path, parts: list[str], *logs: bytes) -> Path:
    folder = store / "store" / "3ca" / "3caef5b1"
    (folder / "deduplication_logs").mkdir(parents=True)
    for part in parts:
        (folder / part).mkdir()
    for number, log in enumerate(logs, 1):
        (folder / "deduplication_logs" / f"deduplication_log_{number}.txt").write_bytes(log)
    return folder / "deduplication_logs"


def test_what_is_taken_back_is_said_once_at_the_end_of_the_newest_log(tmp_path) -> None:
    logs = table(tmp_path, ["all_1_1_0"], added("all_1_1_0", "a") + b"\n", added("all_2_2_0", "b") + b"\n")
    (tmp_path / "data" / "touchline").mkdir(parents=True)
    (tmp_path / "data" / "touchline" / "t").symlink_to(logs.parent)

    assert take_back_orphans(tmp_path) == 1
    assert (logs / "deduplication_log_1.txt").read_bytes() == b"1\tall_1_1_0\ta\n"
    assert (logs / "deduplication_log_2.txt").read_bytes() == b"1\tall_2_2_0\tb\n2\tall_2_2_0\tb\n"
    assert take_back_orphans(tmp_path) == 0


def test_a_torn_line_is_cut_off_so_that_what_follows_is_read(tmp_path) -> None:
    logs = table(tmp_path, ["all_1_1_0"], added("all_1_1_0", "a") + b"\n" + added("all_2_2", ""))

    assert take_back_orphans(tmp_path) == 0
    assert (logs / "deduplication_log_1.txt").read_bytes() == b"1\tall_1_1_0\ta\n"


def test_of_a_long_log_only_the_end_is_read(tmp_path) -> None:
    log = b"".join(added(f"all_{i}_{i}_0", f"{i:040}") + b"\n" for i in range(1, 20_001))
    logs = table(tmp_path, ["all_1_19999_7"], log)

    assert take_back_orphans(tmp_path) == 1
    assert (logs / "deduplication_log_1.txt").read_bytes() == log + taken_back(
        "all_20000_20000_0", f"{20000:040}"
    ) + b"\n"
