"""What is sent of a dead letter, or why it cannot be. Pure.

(Letter, bytes, envelope) -> Again: path, key, items -> judged by the collector's own adapter -> sent, or refused as before

The items are sent as they came, with what a second delivery would say otherwise: a time of its own where the time of
receipt counted, and an id of its own where the collector would make one, so that sending it twice is harmless.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from schemas.ids import derived_id
from schemas.rejections import LOST_ENVELOPE
from stream.cli.letters.reading import Letter
from stream.collect import clock
from stream.collect.adapters.rows import rows_of
from stream.collect.bodies import BODY_KEPT, UNREADABLE, clean, read_whole
from stream.collect.endpoints import ENDPOINTS
from stream.collect.request import Request
from stream.settings import Source

_CALLS: Final = ("track", "page", "screen", "identify", "group", "alias")
_BATCH: Final = "/v1/batch"
_BROWSERS: Final = "/v1/b"
_SINGLE: Final = {f"/v1/{name}": call for call in _CALLS for name in (call, call[0])}
_SEGMENT: Final = frozenset({_BATCH, _BROWSERS, *_SINGLE})
_ROWS: Final = ("/v1/crm/", "/v1/costs", "/v1/fx")
_ADAPTERS: Final = {endpoint.path: endpoint.events_of for endpoint in ENDPOINTS}
_NOBODYS_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - tells nothing, where ours would be taken for the visitor's
_array: Final = msgspec.json.Decoder(list[Raw]).decode
_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_NOTHING: Final = "nothing is left of it"


class Unsendable(Exception):
    """Thrown and caught here: why a letter cannot be sent."""


class Again(msgspec.Struct, frozen=True):
    """What can be sent of a letter."""

    path: str
    key: str
    gpc: bool
    context: bytes
    """Of the envelope, "" if it had none."""
    items: list[bytes]
    refused: dict[str, int]
    """Why others would be refused again -> how many."""


def again(
    letter: Letter,
    body: bytes,
    envelope: bytes,
    *,
    path: str,
    key: str,
    sources: Mapping[tuple[str, str], Source],
    now: int,
) -> Again | str:
    """What to send, or why nothing can be.

    Args:
        letter: with its own path, or none.
        body: what was refused.
        envelope: what its request said beside it.
        path: where to send it if the letter does not know.
        key: write key for letters of no known source.
        sources: by tenant and name.
        now: ms.
    """
    try:
        path = _target(letter, path)
        source = sources.get((letter.tenant, letter.source)) if letter.source else None
        key = _key(letter, source, key)
        items, context = _items(letter, body, envelope, path)
    except Unsendable as why:
        return str(why)
    target = path if path not in _SEGMENT else _BROWSERS if _is_browsers(path) else _BATCH
    asked = Request(
        received_at=now,
        source=source or Source("again", key, letter.tenant),
        path=target,
        headers={"sec-gpc": "1"} if letter.gpc else {},
    )
    result = Again(target, key, letter.gpc, context, [], {})
    for item in items:
        why_not = _why(target, body_of(target, context, [item]), asked)
        if why_not:
            result.refused[why_not] = result.refused.get(why_not, 0) + 1
        else:
            result.items.append(item)
    return result


def body_of(path: str, context: bytes, items: list[bytes]) -> bytes:
    """The request's body."""
    joined = b"[" + b",".join(items) + b"]"
    if path not in _SEGMENT:
        return joined
    return b'{"batch":' + joined + (b',"context":' + context if context else b"") + b"}"


def _key(letter: Letter, source: Source | None, key: str) -> str:
    """Its source's write key now; ``key`` if there is no such source."""
    key = source.key if source is not None else key
    if not key:
        raise Unsendable(
            f"no source {letter.source!r} is in touchline.toml: see --key" if letter.source else "no source: see --key"
        )
    return key


def _items(letter: Letter, body: bytes, envelope: bytes, path: str) -> tuple[list[bytes], bytes]:
    """What the letter has, as it is to be sent, and the context that holds for all of it."""
    if len(body) >= BODY_KEPT:
        raise Unsendable("it was cut when it was kept")
    if envelope == LOST_ENVELOPE:
        raise Unsendable("its envelope was too large to be kept")
    text = clean(body)
    try:
        said = json.loads(envelope) if envelope else {}
        raws, more = _calls(text) if path in _SEGMENT else (rows_of(text), {})
        said |= more
        found = [_filled(bytes(raw), number, letter, said, path) for number, raw in enumerate(raws)]
    except (*UNREADABLE, ValueError) as error:
        raise Unsendable("it is not JSON" if not isinstance(error, RecursionError) else "it nests too deep") from None
    if not found:
        raise Unsendable(_NOTHING)
    return found, json.dumps(said["context"]).encode() if isinstance(said.get("context"), dict) else b""


def _target(letter: Letter, path: str) -> str:
    if letter.address:
        raise Unsendable("it was refused after the log: whoever wrote it there has to write it again")
    path = letter.path or path
    if not path:
        raise Unsendable("nothing says where it was sent: see --path")
    if path.startswith("/webhooks/"):
        raise Unsendable("a webhook: its signature is not kept, let the provider send it again")
    if path in _SEGMENT or (path in _ADAPTERS and path.startswith(_ROWS)):
        return path
    raise Unsendable(f"{path}: only calls of Segment's and RudderStack's SDKs, CRM objects, costs and rates can be")


def _is_browsers(path: str) -> bool:
    return len(path.rpartition("/")[2]) == 1


def _calls(text: bytes) -> tuple[list[Raw], dict[str, Any]]:
    """The calls of a letter, and the envelope where it is the whole request."""
    if text.lstrip()[:1] == b"[":
        return read_whole(_array, text), {}
    whole = read_whole(_object, text)
    if "batch" not in whole:
        return [Raw(text)], {}
    said: dict[str, Any] = {name: json.loads(bytes(whole[name])) for name in ("sentAt", "context") if name in whole}
    return _array(bytes(whole["batch"])), said


def _filled(raw: bytes, number: int, letter: Letter, said: Mapping[str, Any], path: str) -> bytes:
    """The item with what a second delivery would say otherwise; the bytes as they were if that is nothing."""
    item = json.loads(raw)
    if not isinstance(item, dict):
        return raw
    more = _call_more(item, number, letter, said, path) if path in _SEGMENT else _row_more(item, letter)
    return (
        json.dumps(item | more, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") if more else raw
    )


def _row_more(item: Mapping[str, Any], letter: Letter) -> dict[str, Any]:
    return {} if item.get("updated_at") not in (None, "") else {"updated_at": letter.received_at}


def _call_more(
    item: Mapping[str, Any], number: int, letter: Letter, said: Mapping[str, Any], path: str
) -> dict[str, Any]:
    more: dict[str, Any] = {}
    context = item.get("context") if isinstance(item.get("context"), dict) else {}
    outer = said.get("context") if isinstance(said.get("context"), dict) else {}
    assert isinstance(context, dict) and isinstance(outer, dict)  # noqa: PT018 - for the type checker
    channel = item.get("channel")
    if (_is_browsers(path) or channel in ("web", "mobile")) and not (
        context.get("userAgent") or outer.get("userAgent")
    ):
        raise Unsendable("what the connection told of the browser (robots, place) is not kept")
    if not (context.get("ip") or outer.get("ip")):
        more["context"] = context | {"ip": _NOBODYS_ADDRESS}
    if path in _SINGLE:
        more["type"] = _SINGLE[path]
    if item.get("messageId") in (None, ""):
        more["messageId"] = derived_id("dead-letter", letter.id, str(number))
    return more | _times(item, letter, said)


def _times(item: Mapping[str, Any], letter: Letter, said: Mapping[str, Any]) -> dict[str, Any]:
    """The call's time as it was when it came: with both members it is taken as it stands, whenever it comes again."""
    given = [item.get(name) for name in ("timestamp", "originalTimestamp")]
    stated, original = map(clock.moment, given)
    if stated is not None and original is not None:
        return {}
    if stated is None and original is None and any(given):
        return {}  # no time: it is refused again
    clients = original if stated is None else stated
    sent = clock.moment(item["sentAt"] if item.get("sentAt") is not None else said.get("sentAt"))
    skew = letter.received_at - sent if sent and clients is not None else 0
    at = min(letter.received_at, letter.received_at if clients is None else clients + skew)
    try:
        text = clock.text_of(at)
    except (ValueError, OverflowError, OSError):
        return {}
    return {
        "timestamp": text,
        "originalTimestamp": text if clients is None else given[0] if stated is not None else given[1],
    }


def _why(target: str, body: bytes, asked: Request) -> str:
    """Why it would be refused, or noted, as before; "" if it is taken."""
    try:
        parsed = _ADAPTERS[target](body, asked)
    except Exception:  # noqa: BLE001 - as the collector does
        return "our own code fails on it"
    said = parsed.fault or next(iter([*parsed.rejected, *parsed.noted]), None)
    return "" if said is None else f"{said.detail}: {said.reason.value.replace('_', ' ')}"
