"""The short way in C is in use only where it knows the structs as they are."""

import os

import pytest

import build_native
from stream.core import everyday, stitch
from stream.core.visit import go_on

SHAPES = (*everyday._STRUCTS, everyday.Event)


def layout():
    if everyday.native is None and os.environ.get("CI") != "true":
        pytest.skip(f"{everyday.WHY_NOT}; python build_native.py builds it")
    return dict(everyday.native.LAYOUT), everyday.native.HITS_BYTES, everyday.native.ID_BYTES


def test_in_ci_it_is_built():
    if os.environ.get("CI") != "true":
        pytest.skip("CI is not set: this checkout may be without a compiler")
    assert everyday.WHY_NOT == ""


def test_the_c_code_has_the_fields_of_the_structs_that_it_reads_and_writes():
    """If this fails: change stream/core/native/layout.h, think about what an everyday hit does to the field, build again."""
    assert everyday.difference(*layout()) == ""


def test_the_module_is_made_of_the_sources_that_are_there():
    layout()

    assert build_native.sources() == everyday.native.SOURCES, "python build_native.py builds it anew"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_field_that_the_c_code_does_not_know_is_a_reason_not_to_take_that_way(shape):
    known, hits_bytes, id_bytes = layout()
    name = shape.__name__
    known[name] = known[name].rsplit(" ", 2)[0]

    said = everyday.difference(known, hits_bytes, id_bytes)

    assert said.startswith(f"{name} is not what stream/core/native/layout.h says")


def test_two_fields_that_changed_places_are_a_reason():
    known, hits_bytes, id_bytes = layout()
    known["Session"] = known["Session"].replace("points key", "key points")

    assert everyday.difference(known, hits_bytes, id_bytes) != ""


def test_other_room_for_hits_is_a_reason():
    known, hits_bytes, id_bytes = layout()

    assert "16384" in everyday.difference(known, hits_bytes + 1, id_bytes)


def test_the_stitch_stage_takes_it_if_there_is_no_reason():
    used = stitch.events_step.__kwdefaults__["everyday"]

    assert used is (go_on if everyday.WHY_NOT else everyday.take)
