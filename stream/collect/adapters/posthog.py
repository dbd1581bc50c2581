"""PostHog's capture API: batches and single events of its server-side SDKs.

POST /batch/ {"api_key", "sent_at", "batch": [...]}, /capture/ and /i/v0/e/ {"api_key", "event", ...} -> Events

``api_key`` is the write key. The properties are kept as they are, but for the visitor's address and user agent.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET, Raw
from msgspec.structs import replace

from schemas import event as kinds
from schemas.event import Event
from schemas.rejections import Rejected, RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.posthog_names import ACCOUNT_TYPES, IGNORED, KINDS, group_of, is_client, platform_of, who
from stream.collect.adapters.posthog_wire import Batch, Item, read_batch, read_item
from stream.collect.adapters.rows import as_properties, custom_of
from stream.collect.bodies import (
    UNREADABLE,
    Properties,
    Unfit,
    checked,
    clean,
    members,
    read_whole,
    refusal,
    refused_together,
    rejected,
    undecodable,
)
from stream.collect.edges import put_edge
from stream.collect.request import Parsed, Request, faulty
from stream.settings import Source

_PRIVATE: Final = frozenset({"$ip", "$raw_user_agent", "$useragent"})
_DIRECT: Final = "$direct"
"""What the browser's SDK says where there is no referrer."""


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one request, in its order."""
    body = clean(body)
    try:
        batch = read_whole(read_batch, body)
        if batch.batch is UNSET and request.path.startswith("/batch"):
            return faulty(rejected(RejectReason.MISSING_FIELD, "batch"))
        items: Sequence[bytes | Raw] = batch.batch if batch.batch is not UNSET else [body]
        if batch.batch is UNSET:
            checked(body, request.max_event_bytes)
    except Unfit as unfit:
        return faulty(Rejected(unfit.reason, unfit.detail))
    except UNREADABLE as error:
        return faulty(rejected(undecodable(error), "the body is not the JSON of an event or a batch"))
    source = request.sources.get(batch.api_key or "") or request.source
    if source is None:
        return Parsed([], refused_together(RejectReason.UNKNOWN_KEY, "api_key", items))
    return _read(items, batch, source, request)


def _read(items: Sequence[bytes | Raw], batch: Batch, source: Source, request: Request) -> Parsed:
    rest = items[request.max_batch_events :]
    parsed = Parsed([], refused_together(RejectReason.TOO_MANY, "batch", rest), source=source)
    blank = Event(
        id="", node="", type="", at=0, received_at=request.received_at, sent_at=clock.moment(batch.sent_at) or 0,
        tenant=source.tenant, source=source.name, protocol="posthog",
    )  # fmt: skip
    for raw in items[: request.max_batch_events]:
        try:
            event = _event(read_whole(read_item, checked(raw, request.max_event_bytes)), blank, request)
            if event is None:
                parsed.ignored += 1
            else:
                parsed.events.append(event)
        except (Unfit, *UNREADABLE) as error:
            parsed.rejected.append(refusal(error, raw))
    return parsed


def _event(item: Item, blank: Event, request: Request) -> Event | None:
    """The event of one item, None for what nobody did. Raises: Unfit, or one of UNREADABLE."""
    name = normal.text(item.event, normal.NAME_LIMIT)
    if not name:
        raise Unfit(RejectReason.MISSING_FIELD, "event")
    kind = KINDS.get(name, kinds.TRACK)
    properties, property_of = members(item.properties)
    if name in IGNORED or (kind == kinds.GROUP and property_of.get("$group_type") not in ACCOUNT_TYPES):
        return None
    event = replace(blank, id=normal.message_id(item.uuid) or request.new_id(), type=kind)
    event.name = name if kind == kinds.TRACK else normal.text(property_of.get("$screen_name"), normal.NAME_LIMIT)
    event.properties = _public(properties, property_of)
    event.traits, trait_of = _traits(item, kind, property_of)
    _date(event, item)
    _identify(event, item, property_of, trait_of)
    _locate(event, property_of)
    _enrich(event, property_of, request)
    return event


def _traits(item: Item, kind: str, property_of: dict[str, object]) -> tuple[Properties, dict[str, object]]:
    if kind == kinds.GROUP:
        given = property_of.get("$group_set")
    else:
        beside, beside_once = members(item.set)[1], members(item.set_once)[1]
        once, of = property_of.get("$set_once"), property_of.get("$set")
        first = {**beside_once, **(once if isinstance(once, dict) else {})}
        given = {**first, **beside, **(of if isinstance(of, dict) else {})}
    if not isinstance(given, dict) or not given:
        return UNSET, {}
    return as_properties(given), given


def _public(properties: Properties, property_of: dict[str, object]) -> Properties:
    if _PRIVATE.isdisjoint(property_of):
        return properties
    return as_properties(custom_of(property_of, _PRIVATE)) if property_of.keys() - _PRIVATE else UNSET


def _date(event: Event, item: Item) -> None:
    original = clock.moment(item.timestamp)
    if item.sent_at is not None:
        event.sent_at = clock.moment(item.sent_at) or 0
    if (original is None and item.timestamp) or not clock.put_times(event, original):
        raise Unfit(RejectReason.BAD_TIME, "timestamp")


def _identify(event: Event, item: Item, property_of: dict[str, object], trait_of: dict[str, object]) -> None:
    event.visitor, event.user = who(item.distinct_id, property_of)
    event.group = group_of(property_of.get("$groups"))
    if event.type == kinds.ALIAS:
        # The SDKs call the id that was known before ``distinct_id``, and the one to keep ``alias``.
        event.visitor = normal.identifier(property_of.get("distinct_id")) or normal.identifier(item.distinct_id)
        event.user = normal.identifier(property_of.get("alias"))
        if not event.visitor or not event.user:
            raise Unfit(RejectReason.MISSING_FIELD, "distinct_id and alias")
    elif event.type == kinds.GROUP:
        event.group = normal.identifier(property_of.get("$group_key"))
        if not event.group:
            raise Unfit(RejectReason.MISSING_FIELD, "$group_key")
        if not normal.identifier(property_of.get("$device_id")):
            # SURPRISE: servers fill in any id, often the same for all groups: it would make them one login's.
            event.visitor = event.user = ""
    if event.type != kinds.GROUP:
        event.email = normal.address(trait_of.get("email")) or normal.address(event.user)
    event.node = normal.entry_node(event.tenant, event.visitor, event.user, event.email, account=event.group)
    if not event.node or (event.type != kinds.GROUP and not (event.visitor or event.user)):
        raise Unfit(RejectReason.MISSING_FIELD, "distinct_id")


def _locate(event: Event, property_of: dict[str, object]) -> None:
    event.url = normal.text(property_of.get("$current_url"), normal.URL_LIMIT)
    referrer = normal.text(property_of.get("$referrer"), normal.URL_LIMIT)
    event.referrer = "" if referrer == _DIRECT else referrer
    event.title = normal.text(property_of.get("title") or property_of.get("$title"))
    event.client_session = normal.text(property_of.get("$session_id"))
    event.utm_source, event.utm_medium = (normal.text(property_of.get(f"utm_{it}")) for it in ("source", "medium"))
    event.utm_campaign, event.utm_term = (normal.text(property_of.get(f"utm_{it}")) for it in ("campaign", "term"))
    event.utm_content = normal.text(property_of.get("utm_content"))
    event.library = normal.text(property_of.get("$lib"), 64)
    event.platform = platform_of(event.type, event.library)


def _enrich(event: Event, property_of: dict[str, object], request: Request) -> None:
    address = normal.text(property_of.get("$ip"), 64)
    user_agent = normal.text(property_of.get("$raw_user_agent") or property_of.get("$useragent"))
    if is_client(event.library):
        address = address or request.address
        user_agent = user_agent or request.headers.get("user-agent", "")
        event.gpc = request.gpc
    if address or user_agent:
        put_edge(event, request.enrich(address, user_agent))
