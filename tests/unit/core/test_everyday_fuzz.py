"""The short way in C reads what strangers influence: what is broken it refuses, or it does what Python does with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import build_native
from stream.core.seen import HASH_BYTES, Seen
from tests.support.everyday import needs_c
from tests.support.everyday_fuzz import (
    NODE,
    OPERATIONS,
    PIECES,
    SCENES,
    byte_by_byte,
    check_line,
    check_record,
    fuzz,
    in_c,
    in_python,
    lines_of,
)

ROOT = Path(__file__).resolve().parents[3]
CHECKED = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-g",
    "-O1",
    "-Werror",
)
PLACES = st.integers(0, (1 << 16) - 1)
CHANGES = st.lists(st.tuples(st.sampled_from(OPERATIONS), PLACES, PLACES, st.sampled_from(PIECES)), max_size=3)
PIECE_OF_JSON = st.recursive(
    st.sampled_from(["null", "true", "-0", "0", "1.0", "1e5", ".5", '"a"', '"\\ud83d"', '"\\ud83d\\ude00"', "-", "tru", "01"])
    | st.integers().map(str) | st.floats().map(repr) | st.text(max_size=5).map(lambda text: f'"{text}"'),
    lambda inner: st.lists(inner, max_size=3).map(lambda values: f"[{','.join(values)}]")
    | st.lists(inner, max_size=3).map(lambda values: "{" + ", ".join(f'"k" :{value}' for value in values) + "}"),
    max_leaves=8,
)  # fmt: skip


@needs_c
@given(st.sampled_from(SCENES), CHANGES)
@settings(max_examples=500, deadline=None)
def test_a_broken_line_is_refused_or_has_the_effects_that_it_has_in_python(scene, changes):
    check_line(scene, changes)


@needs_c
@given(st.sampled_from(SCENES), CHANGES)
@settings(max_examples=500, deadline=None)
def test_a_broken_record_is_refused_or_has_the_effects_that_it_has_in_python(scene, changes):
    check_record(scene, changes)


@needs_c
@given(
    st.sampled_from(["engaged_ms", "properties", "consent", "gpc", "title", "url", "user_id", "tenant"]), PIECE_OF_JSON
)
@settings(max_examples=500, deadline=None)
def test_a_value_of_any_kind_is_refused_or_has_the_effects_that_it_has_in_python(key, value):
    value = value.encode("utf-8", "replace")
    line = b'{"node":"default/v:v1","event_id":"n","occurred_at":1800000090000,"received_at":7,"type":"page","visitor_id":"v1"'
    state = SCENES[0].state
    for text in (line + b',"%b":%b}' % (key.encode(), value), line.replace(b"1800000090000", value) + b"}"):
        found = in_c(state, [text])
        assert found is None or found == in_python(state, [text])


@needs_c
@pytest.mark.parametrize(
    "value", [b'{"k":' * 66 + b"1" + b"}" * 64 + b"]" * 2, b"[" * 61 + b"]" * 61, b'{"k":' * 61 + b"1" + b"}" * 61]
)
def test_what_is_nested_too_deep_is_left_to_python(value):
    line = b'{"node":"default/v:v1","event_id":"n","occurred_at":1800000090000,"received_at":7,"type":"page","properties":%b}'
    shallow = in_c(SCENES[0].state, [line % (b"[" * 60 + b"]" * 60)])

    assert shallow is not None
    assert in_c(SCENES[0].state, [line % value]) is None


@pytest.mark.parametrize("short", [False, True])
def test_a_line_with_an_escaped_key_counts_like_any_other(short):
    """Our encoder writes none, so where the content begins cannot be found in it."""
    (line,) = lines_of(SCENES[0], 4, 1)

    seen, _, rows, _, refused = in_python(SCENES[0].state, [line.replace(b'"type"', b'"\\u0074ype"')], short=short)

    assert len(seen.hashes) == 5 * HASH_BYTES
    assert len(rows["events"]) == 1
    assert not refused


def test_the_visitors_have_what_may_be_wrong():
    records = [scene.state.get("x\x00" + NODE, Seen) for scene in SCENES]
    sessions = [record.newest.sessions[-1] for record in records if record.newest is not None]

    assert len(sessions) == len(records) - 1
    assert any(session.users and session.company for session in sessions)
    assert any(session.items for session in sessions)
    assert not any(session.held or any(item.held for item in session.items) for session in sessions)


@needs_c
@pytest.mark.parametrize("scene", SCENES)
def test_any_single_byte_may_be_wrong(scene):
    assert byte_by_byte(scene) > 500, "else it would say little"


@needs_c
def test_random_damage_does_not_show_what_python_would_not():
    taken = fuzz(3_000, 1)

    assert min(taken.values()) > 50, "else it would say little"


@pytest.fixture(scope="module")
def checked_build(tmp_path_factory):
    """C with the compiler's sanitizers in it, and their library."""
    compiler = shutil.which("cc")
    if compiler is None and os.environ.get("CI") != "true":
        pytest.skip("no C compiler (cc)")
    folder = tmp_path_factory.mktemp("checked")
    module = build_native.build(folder, folder / "work", *CHECKED)
    assert module is not None, "it cannot be built: see what the compiler says above"
    preloaded = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return module, preloaded


@pytest.mark.parametrize("fuzz", ["everyday_fuzz", "everyday_touches_fuzz"])
def test_under_the_compilers_sanitizers_nothing_is_found(fuzz, checked_build):
    """Every access within bounds, no overflow, nothing undefined; and not a warning."""
    module, preloaded = checked_build
    ran = subprocess.run(
        [sys.executable, "-m", f"tests.support.{fuzz}", "--rounds", "4000", "--seed", "2", "--module", str(module)],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=240,
        env=os.environ | {"LD_PRELOAD": preloaded, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"},
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr[-3000:]
    assert str(module) in ran.stdout
