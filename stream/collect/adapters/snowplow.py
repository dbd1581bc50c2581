"""Snowplow's tracker protocol: GET ``/i`` and POST ``/com.snowplowanalytics.snowplow/tp2``.

Page views, page pings, structured and self-describing events, legacy transactions. The app id is the write key.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw

from schemas import event as kinds
from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.snowplow_wire import (
    Payload,
    SelfDescribing,
    decode_posted,
    entities_of,
    event_of,
    read_payload,
    read_query,
)
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

HEARTBEAT_MS: Final = 10_000
"""What a page ping counts: the trackers' customary heartbeat and minimum visit length (they do not send theirs)."""
_APPS: Final = frozenset({"mob", "app", "tv", "cnsl", "headset"})
_STRUCT: Final = {"se_ca": "category", "se_ac": "action", "se_la": "label", "se_pr": "property", "se_va": "value"}
_SCROLL: Final = {"pp_mix": "min_x", "pp_max": "max_x", "pp_miy": "min_y", "pp_may": "max_y"}
_TRANSACTION: Final = {
    "tr_id": "order_id",
    "tr_af": "affiliation",
    "tr_tt": "total",
    "tr_tx": "tax",
    "tr_sh": "shipping",
    "tr_cu": "currency",
}
_TRANSACTION_ITEM: Final = {
    "ti_id": "order_id",
    "ti_sk": "sku",
    "ti_nm": "name",
    "ti_ca": "category",
    "ti_pr": "price",
    "ti_qu": "quantity",
    "ti_cu": "currency",
}
_NUMBERS: Final = frozenset(
    {"value", "min_x", "max_x", "min_y", "max_y", "total", "tax", "shipping", "price", "quantity"}
)


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of a POST's body or, if there is none, of the query."""
    if not body:
        return _of_query(request)
    body = clean(body)
    try:
        items = read_whole(decode_posted, body).data
    except UNREADABLE as error:
        return faulty(rejected(undecodable(error), "the body is not the JSON of payload_data"))
    rest = items[request.max_batch_events :]
    parsed = Parsed([], refused_together(RejectReason.TOO_MANY, "data", rest))
    for item in items[: request.max_batch_events]:
        _take_item(item, request, parsed)
    return parsed


def _take_item(item: Raw, request: Request, parsed: Parsed) -> None:
    try:
        payload = read_payload(checked(item, request.max_event_bytes))
        _take(payload, request, parsed)
    except (Unfit, *UNREADABLE) as error:
        parsed.rejected.append(refusal(error, item))


def _of_query(request: Request) -> Parsed:
    parsed = Parsed([], [])
    sent = request.query.encode("utf-8", "replace")
    try:
        checked(sent, request.max_event_bytes)
        _take(read_query(request.query), request, parsed)
    except (Unfit, *UNREADABLE) as error:
        parsed.rejected.append(refusal(error, sent))
    return parsed


def _take(payload: Payload, request: Request, parsed: Parsed) -> None:
    source = request.sources.get(str(payload.aid)) or request.source
    if source is None:
        raise Unfit(RejectReason.UNKNOWN_KEY, "aid")
    parsed.source = source
    parsed.events.append(_event(payload, request, source))


def _event(payload: Payload, request: Request, source: Source) -> Event:
    entities = entities_of(payload)
    kind, name, properties = _content(payload)
    event = Event(
        id=normal.message_id(payload.eid) or request.new_id(),
        node="",
        type=kind,
        at=0,
        received_at=request.received_at,
        tenant=source.tenant,
        source=source.name,
        protocol="snowplow",
        platform=_platform(payload, kind),
        name=normal.text(name, normal.NAME_LIMIT),
        url=normal.text(payload.url, normal.URL_LIMIT),
        referrer=normal.text(payload.refr, normal.URL_LIMIT),
        title=normal.text(payload.page),
        client_session=normal.text(payload.sid),
        engaged_ms=HEARTBEAT_MS if kind == kinds.PING else 0,
        locale=normal.text(payload.lang, 32),
        library=normal.text(payload.tv, 64),
        properties=_with_entities(properties, entities),
    )
    _date(event, payload)
    if kind == kinds.PING:
        event.id = _ping_id(event, entities) or event.id
    _identify(event, payload, entities, request)
    _enrich(event, payload, request)
    return event


def _ping_id(event: Event, entities: list[SelfDescribing]) -> str:
    """One id for all pings of a page view within the same heartbeat, so that a shorter one counts no more time.

    By the tracker's own clock, since a repeated request comes at another time. "" if the page view is not known.
    """
    for entity in entities:
        if entity.name == "web_page" and event.original_at:
            page = normal.identifier(members(entity.data)[1].get("id"))
            return derived_id(kinds.PING, page, str(event.original_at // HEARTBEAT_MS)) if page else ""
    return ""


def _content(payload: Payload) -> tuple[str, str, Properties]:
    """Type, name and properties. Raises: Unfit."""
    match payload.e:
        case "pv":
            return kinds.PAGE, "", UNSET
        case "pp":
            return kinds.PING, "", _named(payload, _SCROLL)
        case "se":
            if not payload.se_ca or not payload.se_ac:
                raise Unfit(RejectReason.MISSING_FIELD, "se_ca and se_ac")
            return kinds.TRACK, str(payload.se_ac), _named(payload, _STRUCT)
        case "ue":
            return _self_described(event_of(payload))
        case "tr":
            return kinds.TRACK, "transaction", _named(payload, _TRANSACTION)
        case "ti":
            return kinds.TRACK, "transaction_item", _named(payload, _TRANSACTION_ITEM)
    raise Unfit(RejectReason.UNSUPPORTED, "e")


def _self_described(inner: SelfDescribing | None) -> tuple[str, str, Properties]:
    if inner is None or not inner.name:
        raise Unfit(RejectReason.MISSING_FIELD, "ue_px or ue_pr")
    properties, of = members(inner.data)
    if inner.name == "screen_view":
        return kinds.SCREEN, normal.text(of.get("name")), properties
    return kinds.TRACK, inner.name, properties


def _named(payload: Payload, names: dict[str, str]) -> Properties:
    """The parameters under readable names, numbers as numbers."""
    found = {name: value for key, name in names.items() if (value := getattr(payload, key)) not in (None, "")}
    for name in _NUMBERS & found.keys():
        found[name] = _number(found[name])
    return msgspec.Raw(msgspec.json.encode(found)) if found else UNSET


def _number(value: object) -> object:
    try:
        number = float(str(value))
    except ValueError:
        return value
    if number.is_integer() and abs(number) < 2**53:
        return int(number)
    return number if abs(number) < float("inf") else value


def _with_entities(properties: Properties, entities: list[SelfDescribing]) -> Properties:
    """The properties with the entities under ``contexts``: ``[{"schema": ..., "data": ...}, ...]``."""
    if not entities:
        return properties
    fields: dict[str, Raw | list[SelfDescribing]] = {}
    if properties is not UNSET:
        fields |= msgspec.json.decode(properties, type=dict[str, Raw])
    for entity in entities:
        members(msgspec.Raw(b'{"data":' + bytes(entity.data) + b"}"))
    return msgspec.Raw(msgspec.json.encode(fields | {"contexts": entities}))


def _date(event: Event, payload: Payload) -> None:
    """``ttm`` if set, else ``received - (stm - dtm)`` with the difference at least 0: some trackers round ``stm``."""
    true, created, sent = (_ms(value) for value in (payload.ttm, payload.dtm, payload.stm))
    if true is None and sent is not None:
        event.sent_at = max(sent, created or 0)
    if not clock.put_times(event, created if true is None else true):
        raise Unfit(RejectReason.BAD_TIME, "dtm")


def _ms(value: object) -> int | None:
    if value is None or value == "":
        return None
    moment = clock.moment(value)
    if moment is None:
        raise Unfit(RejectReason.BAD_TIME, "dtm, stm or ttm")
    return moment


def _platform(payload: Payload, kind: str) -> str:
    """``pc`` is what Python's tracker calls itself by default: a browser's if it speaks of pages or of a domain user."""
    if payload.p == "web":
        return kinds.WEB
    if payload.p in _APPS:
        return kinds.APP
    seen = kind in {kinds.PAGE, kinds.PING} or payload.duid
    return kinds.WEB if payload.p in {"pc", None, ""} and seen else kinds.SERVER


def _identify(event: Event, payload: Payload, entities: list[SelfDescribing], request: Request) -> None:
    """Visitor: the first-party id, else the app's own id, else the network's; of the anonymous their session or event.

    Raises: Unfit.
    """
    anonymous = "sp-anonymous" in request.headers
    event.visitor = normal.identifier(payload.duid) or _device(event, entities)
    if not event.visitor and not anonymous:
        event.visitor = normal.identifier(payload.tnuid) or normal.identifier(payload.nuid)
    event.user = normal.identifier(payload.uid)
    if not event.visitor and not event.user and event.platform != kinds.SERVER:
        # Before the cookie, which would join what a visitor who wants to stay anonymous does in all of his sessions.
        visit = normal.identifier(event.client_session) or (event.id if anonymous else "")
        event.visitor = normal.unnamed(event.tenant, event.source, visit) if visit else ""
    if not event.visitor and payload.p == "web" and not anonymous:
        event.visitor = normal.identifier(request.network_id)
    event.email = normal.address(event.user)
    event.node = normal.entry_node(event.tenant, event.visitor, event.user, event.email)
    if not event.node:
        raise Unfit(RejectReason.MISSING_FIELD, "duid, tnuid or uid")


def _device(event: Event, entities: list[SelfDescribing]) -> str:
    """Apps have no domain user: the entity ``client_session`` names the installation."""
    for entity in entities:
        if entity.name == "client_session":
            of = members(entity.data)[1]
            event.client_session = event.client_session or normal.text(of.get("sessionId"))
            return normal.identifier(of.get("userId"))
    return ""


def _enrich(event: Event, payload: Payload, request: Request) -> None:
    """The payload's own address and user agent; else the connection's, where the connection is the visitor's."""
    address, user_agent = normal.text(payload.ip, 64), normal.text(payload.ua)
    if payload.p == "web":
        user_agent = user_agent or request.headers.get("user-agent", "")
        event.gpc = request.gpc
    if payload.p == "web" or payload.p in _APPS:
        address = address or request.address
    if "sp-anonymous" in request.headers:
        address = ""
    if address or user_agent:
        put_edge(event, request.enrich(address, user_agent))
