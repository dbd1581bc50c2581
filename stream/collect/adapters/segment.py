"""Segment's HTTP tracking API and RudderStack's data plane: single calls and batches of any of their SDKs.

POST /v1/{track,page,screen,identify,group,alias,batch}, /v1/{t,p,s,i,g,a,b} -> Events
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import UNSET, Raw
from msgspec.structs import replace

from schemas import event as kinds
from schemas.codec import json_encoder
from schemas.event import Event
from schemas.rejections import LOST_ENVELOPE, Rejected, RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.segment_mail import MAIL_NAMES, is_mail, put_mail
from stream.collect.adapters.segment_origin import NO_ORIGIN, Origin, origin_of, platform_of
from stream.collect.adapters.segment_page import address_of
from stream.collect.adapters.segment_wire import (
    Batch,
    Context,
    Item,
    merged,
    read_batch,
    read_context,
    read_item,
    traits_in_context,
)
from stream.collect.bodies import (
    UNREADABLE,
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

_CALLS: Final = frozenset({kinds.TRACK, kinds.PAGE, kinds.SCREEN, kinds.IDENTIFY, kinds.GROUP, kinds.ALIAS})
_PATHS: Final = {call: call for call in _CALLS} | {call[0]: call for call in _CALLS}
"""Last part of the path -> type; the browser SDK uses first letters."""
_SIGNED_UP: Final = "Signed Up"
"""Of Segment's B2B events the one whose ``email`` is the person's own; that of "Invite Sent" is somebody else's."""
_CLIENT_CHANNELS: Final = frozenset({"web", "mobile"})


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one request, in its order."""
    body = clean(body)
    last = request.path.rstrip("/").rpartition("/")[2]
    # Browsers and apps use the one-letter paths; their connection is the visitor's own.
    browser = len(last) == 1
    try:
        if last in _PATHS:
            return _single(body, _PATHS[last], browser, request)
        return _batch(read_whole(read_batch, body), browser, request)
    except UNREADABLE as error:
        return faulty(rejected(undecodable(error), "the body is not the JSON of a call or a batch"))


def _batch(batch: Batch, browser: bool, request: Request) -> Parsed:
    if batch.batch is UNSET:
        return faulty(rejected(RejectReason.MISSING_FIELD, "batch"))
    source = request.source or request.sources.get(batch.write_key or "")
    envelope = _envelope(batch, request.max_event_bytes)
    if source is None:
        refused = refused_together(RejectReason.UNKNOWN_KEY, "writeKey", batch.batch)
        return Parsed([], [replace(one, envelope=envelope) for one in refused])
    calls = _Calls(request, source, browser=browser)
    calls.context = _context(batch)
    calls.blank.sent_at = clock.moment(batch.sent_at) or 0
    parsed = calls.read(batch.batch[: request.max_batch_events])
    rest = batch.batch[request.max_batch_events :]
    parsed.rejected += refused_together(RejectReason.TOO_MANY, "batch", rest)
    if envelope and parsed.rejected:
        parsed.rejected = [replace(one, envelope=envelope) for one in parsed.rejected]
    return parsed


def _envelope(batch: Batch, largest: int) -> bytes:
    """What holds for all calls of the batch, for those that are refused: without it they mean something else."""
    parts = {"sentAt": batch.sent_at, "context": batch.context}
    said = {name: value for name, value in parts.items() if value is not None and value is not UNSET}
    envelope = json_encoder.encode(said) if said else b""
    return envelope if len(envelope) <= largest else LOST_ENVELOPE


def _context(batch: Batch) -> Context | None:
    try:
        return read_context(batch.context)
    except UNREADABLE:
        return None


def _single(body: bytes, kind: str, browser: bool, request: Request) -> Parsed:
    try:
        item = read_whole(read_item, checked(body, request.max_event_bytes))
    except Unfit as unfit:
        return faulty(Rejected(unfit.reason, unfit.detail))
    source = request.source or request.sources.get(item.write_key or "")
    if source is None:
        return Parsed([], [rejected(RejectReason.UNKNOWN_KEY, "writeKey", body)])
    calls = _Calls(request, source, browser=browser)
    calls.kind = kind
    return calls.read([body], lambda _: item)


class _Calls:
    """The calls of one body: what holds for all of them, and the reading of each.

    Attributes:
        blank: an event with the fields that all have in common; each event starts as its copy, which is three times
            faster than building it.
        kind: what the path says, for single calls.
        context: the envelope's.
    """

    __slots__ = ("blank", "browser", "context", "kind", "request", "source")

    def __init__(self, request: Request, source: Source, *, browser: bool) -> None:
        self.request = request
        self.source = source
        self.browser = browser
        self.kind = ""
        self.context: Context | None = None
        self.blank = Event(
            id="", node="", type="", at=0, received_at=request.received_at, tenant=source.tenant, source=source.name
        )

    def read(self, raws: Sequence[bytes | Raw], item_of: Callable[[bytes], Item] = read_item) -> Parsed:
        """Every call as an event or as a refusal."""
        events: list[Event] = []
        parsed = Parsed(events, [], source=self.source)
        largest = self.request.max_event_bytes
        for raw in raws:
            try:
                json = checked(raw, largest)
                event = self._event(item_of(json))
                if event.type == kinds.IDENTIFY and event.traits is UNSET:
                    event.traits = members(traits_in_context(json))[0]
                events.append(event)
            except (Unfit, *UNREADABLE) as error:
                parsed.rejected.append(refusal(error, raw))
        return parsed

    def _event(self, item: Item) -> Event:
        kind = self.kind or item.type
        if kind not in _CALLS:
            raise Unfit(RejectReason.UNSUPPORTED, "type")
        context = item.context
        if self.context is not None:
            context = merged(context, self.context)
        event = replace(self.blank, id=normal.message_id(item.message_id) or self.request.new_id(), type=kind)
        self._date(event, item)
        event.properties, property_of = members(item.properties)
        event.traits, trait_of = members(item.traits) if item.traits is not UNSET else (UNSET, {})
        _name(event, item)
        _identify(event, item, context, trait_of)
        if event.name == _SIGNED_UP and kind == kinds.TRACK and not event.email:
            event.email = normal.address(property_of.get("email"))
        origin = origin_of(context.library.name) if context is not None and context.library is not None else NO_ORIGIN
        event.protocol, event.library = origin.protocol, origin.library
        browser = self.browser and not origin.anywhere
        event.platform = platform_of(kind, item.channel, context, origin, browser=browser)
        if kind == kinds.ALIAS and normal.identifier(item.anonymous_id) not in {"", event.visitor}:
            # The visitor of the call is another one: what it says of somebody is no visit of his.
            event.platform = kinds.SERVER
        site = self.request.headers.get("origin", "")
        if context is not None:
            _locate(event, context, site)
        if kind == kinds.PAGE:
            _locate_by_properties(event, property_of, site)
        if event.name in MAIL_NAMES and kind == kinds.TRACK and is_mail(event, property_of):
            # Whoever reads is seen by the provider alone: our connection is the provider's or Segment's.
            agent, address = ("", "") if context is None else (context.user_agent or "", context.ip or "")
            put_mail(event, property_of, self.request.enrich, user_agent=agent, address=address)
        else:
            self._enrich(event, context, item.channel, origin, browser=browser)
        return event

    def _date(self, event: Event, item: Item) -> None:
        stated, original = clock.moment(item.timestamp), clock.moment(item.original_timestamp)
        if stated is None and original is None and (item.timestamp or item.original_timestamp):
            raise Unfit(RejectReason.BAD_TIME, "timestamp")
        if item.sent_at is not None:
            event.sent_at = clock.moment(item.sent_at) or 0
        sent = event.sent_at
        if stated is not None and original is not None:
            # Both: the SDK's clock, and a time that is not to be corrected by it, since the caller gave it (RudderStack)
            # or Segment has corrected it already.
            event.sent_at = 0
        if not clock.put_times(event, original if stated is None else stated):
            raise Unfit(RejectReason.BAD_TIME, "timestamp")
        event.sent_at = sent

    def _enrich(
        self, event: Event, context: Context | None, channel: str | None, origin: Origin, *, browser: bool
    ) -> None:
        """The facts of the visitor's address and browser: the context's; the connection's only if that is his own."""
        address = context.ip or "" if context is not None else ""
        user_agent = context.user_agent or "" if context is not None else ""
        if browser or origin.client or channel in _CLIENT_CHANNELS:
            address = address or self.request.address
            user_agent = user_agent or self.request.headers.get("user-agent", "")
            event.gpc = self.request.gpc
        elif context is not None and context.direct:
            # Vouches for the address only: the user agent of such a connection is an HTTP library's.
            address = address or self.request.address
        if address or user_agent:
            put_edge(event, self.request.enrich(address, user_agent))


def _name(event: Event, item: Item) -> None:
    name = item.event if event.type == kinds.TRACK else item.name
    if name:
        event.name = normal.text(name, normal.NAME_LIMIT)
    elif event.type == kinds.TRACK:
        raise Unfit(RejectReason.MISSING_FIELD, "event")


def _identify(event: Event, item: Item, context: Context | None, trait_of: dict[str, object]) -> None:
    """Promote what identifies somebody, and find the entry node."""
    event.visitor, event.user = normal.identifier(item.anonymous_id), normal.identifier(item.user_id)
    event.group = normal.identifier(item.group_id)
    if context is not None:
        _promote(event, context)
    if event.type == kinds.IDENTIFY and not event.group:
        in_context = context.traits.company if context is not None and context.traits is not None else None
        event.group = _company_id(trait_of.get("company")) or _company_id(in_context)
    if trait_of and event.type != kinds.GROUP:
        # The traits of a ``group`` call are the account's, so their email is not the person's.
        event.email = normal.address(trait_of.get("email")) or event.email
    if not event.email and "@" in event.user:
        event.email = normal.address(event.user)
    if event.type == kinds.ALIAS:
        # The previous id is the visitor who turns out to be the user.
        event.visitor = normal.identifier(item.previous_id)
        if not event.visitor or not event.user:
            raise Unfit(RejectReason.MISSING_FIELD, "previousId and userId")
    elif event.type == kinds.GROUP and not event.group:
        raise Unfit(RejectReason.MISSING_FIELD, "groupId")
    event.node = normal.entry_node(event.tenant, event.visitor, event.user, event.email)
    if not event.node:
        raise Unfit(RejectReason.MISSING_FIELD, "userId or anonymousId")


def _company_id(company: object) -> str:
    """The account of the trait ``company``; never by its name, which many companies bear."""
    return normal.identifier(company.get("id")) if isinstance(company, dict) else ""


def _promote(event: Event, context: Context) -> None:
    if context.group_id is not None and not event.group:
        event.group = normal.identifier(context.group_id)
    if context.traits is not None:
        event.email = normal.address(context.traits.email)
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


def _locate(event: Event, context: Context, site: str) -> None:
    """Where it happened and what brought the visitor there."""
    page, campaign = context.page, context.campaign
    if page is not None:
        event.url = address_of(page.url, page.search, site)
        event.referrer = normal.text(page.referrer, normal.URL_LIMIT)
        event.title = normal.text(page.title)
    if campaign is not None:
        event.utm_source, event.utm_medium = normal.text(campaign.source), normal.text(campaign.medium)
        event.utm_campaign, event.utm_term = normal.text(campaign.name), normal.text(campaign.term)
        event.utm_content = normal.text(campaign.content)
    if context.consent is not None or context.consent_management is not None:
        event.consent = context.categories
    event.locale = normal.text(context.locale)
    event.client_session = normal.text(context.session_id)


def _locate_by_properties(event: Event, property_of: dict[str, object], site: str) -> None:
    """Servers have no ``context.page``: the properties of a page call say the same."""
    event.url = event.url or address_of(property_of.get("url"), property_of.get("search"), site)
    event.referrer = event.referrer or normal.text(property_of.get("referrer"), normal.URL_LIMIT)
    event.title = event.title or normal.text(property_of.get("title"))
