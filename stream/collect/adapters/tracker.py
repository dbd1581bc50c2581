"""Our own browser tracker: what ``stream/collect/tracker/t.src.js`` sends.

POST /t (text/plain, so that browsers need no preflight) -> Events::

    {"key": "dev", "sentAt": 1767323045678, "locale": "en", "screen": [1920, 1080], "webdriver": false, "gpc": false,
     "events": [{"id", "type", "at", "visitor", "session", "user", "group", "url", "referrer", "title", "consent",
                 "name", "properties", "traits", "engaged"}, ...]}

Times are ms by the browser's clock. ``type`` is page, track, identify, group or ping; ``engaged`` (ms since the last
ping) belongs to pings. Whoever refused analytics, or has not been asked yet, is counted and nothing more
(``stream.collect.privacy``).
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from schemas import event as kinds
from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.bodies import (
    UNREADABLE,
    Properties,
    Unfit,
    checked,
    clean,
    members,
    refusal,
    refused_together,
    rejected,
    undecodable,
)
from stream.collect.bots import HEADLESS
from stream.collect.edges import put_edge
from stream.collect.fitting import fitted
from stream.collect.request import Edge, Parsed, Request, faulty
from stream.settings import Source

_TYPES: Final = frozenset({kinds.PAGE, kinds.TRACK, kinds.IDENTIFY, kinds.GROUP, kinds.PING})
_ENGAGED_LIMIT_MS: Final = 120_000
"""The tracker pings every 15 s of engagement and once more when the page is hidden: more is a broken clock."""
_SCREEN_LIMIT: Final = 100_000
Id = str | int | float | None
Text = str | None


class Item(msgspec.Struct, gc=False):
    """One event."""

    id: Id = None
    type: Text = None
    at: Id = None
    visitor: Id = None
    session: Id = None
    user: Id = None
    group: Id = None
    url: Text = None
    referrer: Text = None
    title: Text = None
    name: Text = None
    engaged: int | float | None = None
    consent: object = None
    properties: Raw | UnsetType = UNSET
    traits: Raw | UnsetType = UNSET


class Batch(msgspec.Struct, gc=False, rename="camel"):
    """The envelope. Everything but the events is of the browser, so it holds for all of them."""

    events: list[Raw] | UnsetType = UNSET
    key: Text = None
    sent_at: Id = None
    locale: Text = None
    screen: list[int] | None = None
    webdriver: bool | None = None
    gpc: bool | None = None


_decode_batch: Final = msgspec.json.Decoder(Batch).decode
_decode_item: Final = msgspec.json.Decoder(Item).decode


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one request, in its order."""
    body = clean(body)
    try:
        batch = _batch(body)
        events = batch.events
        if events is UNSET:
            raise msgspec.ValidationError("no events")
    except UNREADABLE as error:
        return faulty(rejected(undecodable(error), "the body is not the JSON that t.js sends"))
    source = request.sources.get(batch.key or "") or request.source
    if source is None:
        return Parsed([], refused_together(RejectReason.UNKNOWN_KEY, "key", events))
    rest = events[request.max_batch_events :]
    parsed = Parsed([], refused_together(RejectReason.TOO_MANY, "events", rest), source=source)
    calls = _Calls(request, source, batch)
    for raw in events[: request.max_batch_events]:
        calls.take(raw, parsed)
    return parsed


def _batch(body: bytes) -> Batch:
    """The envelope; members of a wrong type are left out. Raises: one of UNREADABLE."""
    try:
        return _decode_batch(body)
    except msgspec.ValidationError:
        return fitted(Batch, body)


class _Calls:
    """The events of one body: what holds for all of them, and the reading of each."""

    __slots__ = ("batch", "edge", "gpc", "request", "screen", "sent_at", "source")

    def __init__(self, request: Request, source: Source, batch: Batch) -> None:
        self.request = request
        self.source = source
        self.batch = batch
        self.sent_at = clock.moment(batch.sent_at) or 0
        self.gpc = bool(batch.gpc) or request.gpc
        self.edge = _edge(request, webdriver=bool(batch.webdriver))
        self.screen = _screen(batch.screen)

    def take(self, raw: Raw, parsed: Parsed) -> None:
        """Append to ``parsed`` what ``raw`` is: an event or a refusal."""
        try:
            item = _item(checked(raw, self.request.max_event_bytes))
            event = self._event(item)
        except (Unfit, *UNREADABLE) as error:
            parsed.rejected.append(refusal(error, raw))
        else:
            parsed.events.append(event)

    def _event(self, item: Item) -> Event:
        kind = item.type or ""
        if kind not in _TYPES:
            raise Unfit(RejectReason.UNSUPPORTED, "type")
        properties, property_of = members(item.properties)
        traits, trait_of = members(item.traits)
        if kind == kinds.PAGE and self.screen:
            properties = _with_screen(properties, property_of, self.screen)
        event = Event(
            id=normal.message_id(item.id) or self.request.new_id(),
            node="",
            type=kind,
            at=0,
            received_at=self.request.received_at,
            tenant=self.source.tenant,
            source=self.source.name,
            protocol="tracker",
            platform=kinds.WEB,
            name=normal.text(item.name, normal.NAME_LIMIT),
            visitor=normal.identifier(item.visitor),
            user=normal.identifier(item.user),
            # The traits of a group call are the account's, so their address is not the person's.
            email=normal.address(trait_of.get("email")) if kind != kinds.GROUP else "",
            group=normal.identifier(item.group),
            client_session=normal.text(item.session),
            sent_at=self.sent_at,
            url=normal.text(item.url, normal.URL_LIMIT),
            referrer=normal.text(item.referrer, normal.URL_LIMIT),
            title=normal.text(item.title),
            engaged_ms=_engaged(item) if kind == kinds.PING else 0,
            consent=_consent(item.consent),
            gpc=self.gpc,
            locale=normal.text(self.batch.locale, 64),
            library="t.js",
            properties=properties,
            traits=traits,
        )
        _put_time(event, item.at)
        put_edge(event, self.edge)
        event.email = event.email or normal.address(event.user)
        _require(event)
        return event


def _item(raw: bytes | Raw) -> Item:
    try:
        return _decode_item(raw)
    except msgspec.ValidationError:
        return fitted(Item, raw)


def _consent(said: object) -> dict[str, bool] | None:
    """Answers by category; None if nothing is known. Only a plain ``true`` is a yes, and ``false`` for all is a no."""
    if isinstance(said, dict):
        return {category: answer is True for category, answer in said.items()}
    return None if said is None or said is True else {}


def _put_time(event: Event, at: object) -> None:
    original = clock.moment(at)
    if (original is None and at) or not clock.put_times(event, original):
        raise Unfit(RejectReason.BAD_TIME, "at")


def _engaged(item: Item) -> int:
    engaged = item.engaged or 0
    return min(int(engaged), _ENGAGED_LIMIT_MS) if 0 < engaged < float("inf") else 0


def _edge(request: Request, *, webdriver: bool) -> Edge:
    """What the connection tells, and what only the script in the page can see."""
    edge = request.connection_edge()
    if webdriver and not edge.bot:
        edge = msgspec.structs.replace(edge, bot=HEADLESS, bot_reason="webdriver")
    return edge


def _screen(pixels: list[int] | None) -> bytes:
    if pixels is None or len(pixels) != 2 or not all(0 < side < _SCREEN_LIMIT for side in pixels):  # noqa: PLR2004
        return b""
    return b'"screen":"%dx%d"' % (pixels[0], pixels[1])


def _with_screen(properties: Properties, property_of: dict[str, object], screen: bytes) -> Properties:
    if properties is UNSET:
        return Raw(b"{%b}" % screen)
    if "screen" in property_of:
        return properties
    return Raw(b"{%b,%b" % (screen, bytes(properties).lstrip()[1:]))


def _require(event: Event) -> None:
    if event.type == kinds.TRACK and not event.name:
        raise Unfit(RejectReason.MISSING_FIELD, "name")
    if event.type == kinds.GROUP and not event.group:
        raise Unfit(RejectReason.MISSING_FIELD, "group")
    event.node = normal.entry_node(event.tenant, event.visitor, event.user, event.email)
    if not event.node:
        raise Unfit(RejectReason.MISSING_FIELD, "visitor")
