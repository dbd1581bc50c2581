"""Stories: frames in, present sessions and touches out, written by hand in ``stitch/*.jsonl``.

Each file has lines ``{"frame": [events]}``, then what must come of them: ``{"session": {...}}`` and ``{"touch": {...}}``.
"""

from pathlib import Path

import msgspec
import pytest

from schemas.event import Event
from tests.support.stitch import Stage

STORIES = sorted((Path(__file__).parent / "stitch").glob("*.jsonl"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_a_story_ends_as_it_is_written(story):
    lines = [msgspec.json.decode(line) for line in story.read_bytes().splitlines()]
    stage = Stage()
    for line in lines:
        if "frame" in line:
            stage.put(msgspec.json.decode(msgspec.json.encode(line["frame"]), type=list[Event]))
    stage.run()
    wanted = [line["session"] for line in lines if "session" in line]
    found = sorted(stage.table("sessions").values(), key=lambda s: s["started_at"])
    assert [{name: s[name] for name in w} for s, w in zip(found, wanted, strict=True)] == wanted
    touches = [
        {"account": account, "at": t.at, "type": t.type, "channel": t.channel, "person": t.person, "points": t.points}
        for account, kept in stage.touches.items()
        for t in kept.values()
    ]
    assert sorted(touches, key=lambda t: t["at"]) == [line["touch"] for line in lines if "touch" in line]


def test_there_are_stories():
    assert len(STORIES) >= 3
