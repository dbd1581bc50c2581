"""Figures that are reported again when they change (ad cost, exchange rates): a fold over all versions of a node's.

Of the versions of one key the latest counts: by time, of one time by the greater event id. So what stands is a function
of the set of versions, in whatever order and however often they came.
"""

import msgspec

from schemas.event import Event
from stream.core.state import key
from stream.core.step import Step

KEPT = 64
"""Versions kept of a key, the latest. The rest can count again only if that many replaced contents (same id, another
content) were the later ones; keeping them all would make a figure that is uploaded every hour grow for ever."""


class Version(msgspec.Struct, array_like=True, gc=False, order=True):
    """One report of a figure. The fields up to ``event`` are the order of versions."""

    at: int
    event: str
    key: str
    figure: str


class Figures(msgspec.Struct, array_like=True, gc=False):
    """The versions of a node's figures, ascending, and what was booked last: key -> figure."""

    versions: list[Version] = msgspec.field(default_factory=list)
    booked: dict[str, str] = msgspec.field(default_factory=dict)


class Restatement(msgspec.Struct, frozen=True):
    """A figure that stands now and did not before, or the other way round. None: no figure."""

    key: str
    before: str | None
    after: str | None


def restate(step: Step, event: Event, name: str, figure: str | None) -> list[Restatement]:
    """Fold a version in.

    Args:
        step: of the frame.
        event: that reports; its time is the version's. It takes the place of what was known of its id.
        name: of what the figure is of, within the event's node.
        figure: as text in normal form; None: it reports nothing, and only takes the place of what it did before.
    Returns: what changed by it, in the order of keys: nothing for a repeat and for a version that is not the latest.
    """
    place = key("f", event.node, event.type)
    fold = step.state.get(place, Figures) or Figures()
    versions = [v for v in fold.versions if v.event != event.id]
    if figure is not None:
        versions.append(Version(event.at, event.id, name, figure))
    fold.versions = _latest(sorted(versions))
    standing = {v.key: v.figure for v in fold.versions}
    changes = [
        Restatement(name, fold.booked.get(name), standing.get(name))
        for name in sorted({*fold.booked, *standing})
        if fold.booked.get(name) != standing.get(name)
    ]
    fold.booked = standing
    step.state.put(place, fold)
    return changes


def _latest(versions: list[Version]) -> list[Version]:
    """The ``KEPT`` latest of each key."""
    if len(versions) <= KEPT:
        return versions
    kept: list[Version] = []
    counts: dict[str, int] = {}
    for version in reversed(versions):
        counts[version.key] = counts.get(version.key, 0) + 1
        if counts[version.key] <= KEPT:
            kept.append(version)
    kept.reverse()
    return kept
