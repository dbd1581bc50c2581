"""What the collector would say of an object: its own adapter is asked, so that a bad row is found before it is sent."""

from typing import Final

import msgspec

from schemas.rejections import Rejected
from stream.cli.importing.kinds import EVENTS, KINDS
from stream.cli.importing.objects import Row
from stream.collect.request import Request
from stream.settings import Source

_ANYBODY: Final = Source("import", "import")


def judged(kind: str, found: Row, *, now: int) -> tuple[bool, str]:
    """Whether the collector would take the object, and why not, or what of it could not be read ("": all of it).

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
    return refused is None, "" if said is None else _words(said)


def body_of(kind: str, encoded: list[bytes]) -> bytes:
    """The request body with these objects."""
    return b'{"batch":[' + b",".join(encoded) + b"]}" if kind == EVENTS else b"\n".join(encoded)


def _words(refused: Rejected) -> str:
    return f"{refused.detail}: {refused.reason.value.replace('_', ' ')}"
