"""What the collector would say of an object: its own adapter is asked, so that a bad row is found before it is sent."""

from typing import Final

import msgspec

from schemas.event import Event
from schemas.rejections import Rejected
from stream.cli.importing.kinds import EVENTS, KINDS
from stream.cli.importing.objects import Row
from stream.collect.request import Request
from stream.settings import Source

_ANYBODY: Final = Source("import", "import")


class Judged(msgspec.Struct, frozen=True):
    """What becomes of an object."""

    is_taken: bool
    said: str
    """Why not, or what of the object could not be read; "": all of it."""
    events: list[Event]


def judged(kind: str, found: Row, *, now: int) -> Judged:
    """What the collector would make of the object.

    Args:
        kind: of the object.
        found: the object.
        now: ms.
    """
    endpoint = KINDS[kind]
    request = Request(received_at=now, source=_ANYBODY, path=endpoint.path)
    parsed = endpoint.events_of(body_of(kind, [msgspec.json.encode(found)]), request)
    refused = parsed.fault or next(iter(parsed.rejected), None)
    said = refused or next(iter(parsed.noted), None)
    return Judged(refused is None, "" if said is None else _words(said), parsed.events)


def body_of(kind: str, encoded: list[bytes]) -> bytes:
    """The request body with these objects."""
    return b'{"batch":[' + b",".join(encoded) + b"]}" if kind == EVENTS else b"\n".join(encoded)


def _words(refused: Rejected) -> str:
    return f"{refused.detail}: {refused.reason.value.replace('_', ' ')}"
