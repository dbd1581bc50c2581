"""Segment's HTTP tracking API and RudderStack's data plane: single calls and batches of any of their SDKs (DOMAIN 1.1, 1.2).

POST /v1/{track,page,screen,identify,group,alias,batch}, /v1/{t,p,s,i,g,a,b} -> Events
"""

from typing import Final

import msgspec
from msgspec import Raw

from schemas import event as kinds
from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.segment_origin import Origin, origin_of, platform_of
from stream.collect.adapters.segment_wire import (
    Batch,
    Context,
    Item,
    decode_batch,
    decode_sender,
    merged,
    read_context,
    read_item,
)  # fmt: skip
from stream.collect.bodies import (
    UNREADABLE,
    Unfit,
    checked,
    clean,
    members,
    refusal,
    rejected,
    undecodable,
)  # fmt: skip
from stream.collect.request import NO_EDGE, Edge, Parsed, Request, faulty
from stream.settings import Source

_CALLS: Final = frozenset({kinds.TRACK, kinds.PAGE, kinds.SCREEN, kinds.IDENTIFY, kinds.GROUP, kinds.ALIAS})
_PATHS: Final = {call: call for call in _CALLS} | {call[0]: call for call in _CALLS}
"""Last part of the path -> type; the browser SDK uses first letters."""
_NO_CONTEXT: Final = Context()


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one request, in its order."""
    body = clean(body)
    last = request.path.rstrip("/").rpartition("/")[2]
    # Only browsers use the one-letter paths; their connection is the visitor's own.
    browser = len(last) == 1
    try:
        if last in _PATHS:
            return _single(body, _PATHS[last], browser, request)
        return _batch(decode_batch(body), browser, request)
    except UNREADABLE as error:
        return faulty(rejected(undecodable(error), "the body is not the JSON of a call or a batch"))


def _batch(batch: Batch, browser: bool, request: Request) -> Parsed:
    source = request.source or request.sources.get(batch.write_key or "")
    if source is None:
        return Parsed([], [rejected(RejectReason.UNKNOWN_KEY, "writeKey", item) for item in batch.batch])
    rest = batch.batch[request.max_batch_events :]
    parsed = Parsed([], [rejected(RejectReason.TOO_MANY, "batch", item) for item in rest], source=source)
    calls = _Calls(request, source, browser=browser, context=_context(batch), sent_at=clock.moment(batch.sent_at))
    for item in batch.batch[: request.max_batch_events]:
        calls.take(item, parsed)
    return parsed


def _context(batch: Batch) -> Context | None:
    try:
        return read_context(batch.context)
    except UNREADABLE:
        return None


def _single(body: bytes, kind: str, browser: bool, request: Request) -> Parsed:
    source = request.source or request.sources.get(_write_key(body))
    if source is None:
        return Parsed([], [rejected(RejectReason.UNKNOWN_KEY, "writeKey", body)])
    parsed = Parsed([], [], source=source)
    _Calls(request, source, browser=browser, kind=kind).take(body, parsed)
    return parsed


def _write_key(body: bytes) -> str:
    try:
        return decode_sender(body).write_key or ""
    except msgspec.ValidationError as error:
        if body.lstrip()[:1] != b"{":
            raise msgspec.DecodeError("not an object") from error
        return ""


class _Calls:
    """The calls of one body: what holds for all of them, and the reading of each."""

    __slots__ = ("browser", "context", "kind", "request", "sent_at", "source")

    def __init__(
        self,
        request: Request,
        source: Source,
        *,
        browser: bool,
        kind: str = "",
        context: Context | None = None,
        sent_at: int | None = None,
    ) -> None:
        self.request = request
        self.source = source
        self.browser = browser
        self.kind = kind
        self.context = context
        self.sent_at = sent_at

    def take(self, raw: bytes | Raw, parsed: Parsed) -> None:
        """Append to ``parsed`` what ``raw`` is: an event or a refusal."""
        try:
            item = read_item(checked(raw, self.request.max_event_bytes))
            event = self._event(item)
        except (Unfit, *UNREADABLE) as error:
            parsed.rejected.append(refusal(error, raw))
        else:
            parsed.events.append(event)

    def _event(self, item: Item) -> Event:
        kind = self.kind or item.type or ""
        if kind not in _CALLS:
            raise Unfit(RejectReason.UNSUPPORTED, "type")
        context = (item.context if self.context is None else merged(item.context, self.context)) or _NO_CONTEXT
        properties, property_of = members(item.properties)
        traits, trait_of = members(item.traits)
        origin = origin_of(context.library.name if context.library else None)
        times = self._times(item)
        event = Event(
            id=normal.message_id(item.message_id) or self.request.new_id(),
            node="",
            type=kind,
            at=times.at,
            received_at=self.request.received_at,
            tenant=self.source.tenant,
            source=self.source.name,
            protocol=origin.protocol,
            platform=platform_of(kind, item.channel, context, origin, browser=self.browser),
            visitor=normal.identifier(item.anonymous_id),
            user=normal.identifier(item.user_id),
            group=normal.identifier(context.group_id if item.group_id is None else item.group_id),
            client_session=normal.text(context.session_id),
            original_at=times.original_at,
            sent_at=times.sent_at,
            clock_suspect=times.suspect,
            locale=normal.text(context.locale),
            library=origin.library,
            properties=properties,
            traits=traits,
        )
        _name(event, item)
        _identify(event, item, context, trait_of)
        _locate(event, context, property_of)
        self._enrich(event, context, item.channel, origin)
        return event

    def _times(self, item: Item) -> clock.Times:
        given = item.timestamp if item.original_timestamp is None else item.original_timestamp
        original = clock.moment(given)
        if original is None and given:
            raise Unfit(RejectReason.BAD_TIME, "timestamp")
        sent = self.sent_at if item.sent_at is None else clock.moment(item.sent_at)
        times = clock.corrected(original, sent, self.request.received_at)
        if times is None:
            raise Unfit(RejectReason.BAD_TIME, "timestamp")
        return times

    def _enrich(self, event: Event, context: Context, channel: str | None, origin: Origin) -> None:
        """The facts of the visitor's address and browser: the context's; the connection's only if that is his own."""
        request = self.request
        address, user_agent = context.ip or "", context.user_agent or ""
        if self.browser or origin.client or channel in ("web", "mobile"):
            address = address or request.address
            user_agent = user_agent or request.headers.get("user-agent", "")
            event.gpc = request.gpc
        if address or user_agent:
            put_edge(event, request.enrich(address, user_agent))


def put_edge(event: Event, edge: Edge) -> None:
    """Write the facts of the edge into the event."""
    if edge is NO_EDGE:
        return
    event.bot, event.bot_reason = edge.bot, edge.bot_reason
    event.device, event.browser, event.os = edge.device, edge.browser, edge.os
    event.country, event.region, event.city, event.company = edge.country, edge.region, edge.city, edge.company


def _name(event: Event, item: Item) -> None:
    event.name = normal.text(item.event if event.type == kinds.TRACK else item.name, normal.NAME_LIMIT)
    if event.type == kinds.TRACK and not event.name:
        raise Unfit(RejectReason.MISSING_FIELD, "event")


def _identify(event: Event, item: Item, context: Context, trait_of: dict[str, object]) -> None:
    """Promote what identifies somebody, and find the entry node (DOMAIN 1.1, identity promotion)."""
    if context.external_ids:
        _external(event, context)
    if event.type == kinds.ALIAS:
        # The previous id is the visitor who turns out to be the user.
        event.visitor = normal.identifier(item.previous_id)
        if not event.visitor or not event.user:
            raise Unfit(RejectReason.MISSING_FIELD, "previousId and userId")
    elif event.type == kinds.GROUP and not event.group:
        raise Unfit(RejectReason.MISSING_FIELD, "groupId")
    if not event.email:
        event.email = _email(event, context, trait_of)
    event.node = normal.entry_node(event.tenant, event.visitor, event.user, event.email)
    if not event.node:
        raise Unfit(RejectReason.MISSING_FIELD, "userId or anonymousId")


def _email(event: Event, context: Context, trait_of: dict[str, object]) -> str:
    """The person's address. The traits of a ``group`` call are the account's, so their email is not the person's."""
    own = normal.address(trait_of.get("email")) if event.type != kinds.GROUP else ""
    if not own and context.traits is not None:
        own = normal.address(context.traits.email)
    return own or normal.address(event.user)


def _external(event: Event, context: Context) -> None:
    for external in context.external_ids or ():
        value, kind = external.id, external.type
        if external.collection == "accounts":
            event.group = event.group or normal.identifier(value)
        elif kind == "email":
            event.email = event.email or normal.address(value)
        elif kind == "user_id":
            event.user = event.user or normal.identifier(value)
        elif kind == "anonymous_id":
            event.visitor = event.visitor or normal.identifier(value)


def _locate(event: Event, context: Context, property_of: dict[str, object]) -> None:
    """Where it happened and what brought the visitor there."""
    page, campaign = context.page, context.campaign
    if page is not None:
        event.url = normal.text(page.url, normal.URL_LIMIT)
        event.referrer = normal.text(page.referrer, normal.URL_LIMIT)
        event.title = normal.text(page.title)
    if event.type == kinds.PAGE:
        # Servers have no context.page: the properties of a page call say the same.
        event.url = event.url or normal.text(property_of.get("url"), normal.URL_LIMIT)
        event.referrer = event.referrer or normal.text(property_of.get("referrer"), normal.URL_LIMIT)
        event.title = event.title or normal.text(property_of.get("title"))
    if campaign is not None:
        event.utm_source, event.utm_medium = normal.text(campaign.source), normal.text(campaign.medium)
        event.utm_campaign, event.utm_term = normal.text(campaign.name), normal.text(campaign.term)
        event.utm_content = normal.text(campaign.content)
    if context.consent is not None:
        event.consent = context.consent.category_preferences
