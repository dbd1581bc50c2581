"""Rules changed in mid-stream if others held before and something may lie under them."""

import pytest

from schemas import topics
from schemas.codec import lines
from schemas.messages import RulesChanged, Tick
from schemas.rules import Rules
from stream.stages.compute import Record
from stream.stages.rules_history import RulesHistory

CONTROL = {topics.KIND_HEADER: topics.CONTROL_FRAME.encode()}
SPRING, AUTUMN = RulesChanged(Rules(version="spring")), RulesChanged(Rules(version="autumn"))
DEFAULT = RulesChanged(Rules())
MESSAGE = None
MALFORMED = b'{"m":"rules","rules":{"session_gap_s":"long"}}'


def history(*said) -> RulesHistory:
    found = RulesHistory()
    for offset, message in enumerate(said):
        if message is MESSAGE:
            record = Record(offset, offset, b"{}", {topics.KIND_HEADER: topics.MESSAGE_FRAME.encode()})
        else:
            record = Record(offset, offset, message if isinstance(message, bytes) else lines([message]), CONTROL)
        found.take(record)
    return found


@pytest.mark.parametrize(
    "said",
    [
        (),
        (MESSAGE,),
        (SPRING, MESSAGE),
        (SPRING, MESSAGE, SPRING, MESSAGE),  # published once more after a crash
        (Tick(1), SPRING, MESSAGE, Tick(2)),
        (MESSAGE, DEFAULT, MESSAGE),  # what held anyway
        (SPRING, MALFORMED, MESSAGE),  # the stage refuses it
    ],
)
def test_one_set_of_rules_is_no_change(said):
    assert not history(*said).changed


@pytest.mark.parametrize(
    "said",
    [
        (MESSAGE, SPRING),
        (SPRING, MESSAGE, AUTUMN),
        (SPRING, AUTUMN),  # on another topic more may lie between them
        (SPRING, MESSAGE, AUTUMN, MESSAGE, SPRING),
        (SPRING, MESSAGE, DEFAULT),
    ],
)
def test_another_set_after_the_first_is_a_change(said):
    assert history(*said).changed


def test_the_last_set_holds():
    assert history(SPRING, MESSAGE, AUTUMN, MESSAGE).rules.version == "autumn"


def test_several_sets_in_one_record_count_in_their_order():
    found = history(lines([SPRING, AUTUMN]))
    assert (found.changed, found.rules.version) == (True, "autumn")
