"""What an adapter is given and what it returns: the seam between HTTP (``app``) and the wire formats (``adapters``).

    app: HTTP request -> Request -> adapter.events_of(body, request) -> Parsed -> frames, dead letters -> answer

An adapter is a pure function ``events_of(body: bytes, request: Request) -> Parsed`` that never raises on data. The
body is decompressed already. Everything that is not in the body comes from the request: the clock, fresh ids, the
configured sources, and ``enrich`` for what an address and a user agent tell.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from uuid import uuid4

import msgspec

from schemas.event import Event
from schemas.rejections import Rejected
from stream.settings import Source, Webhook


class Edge(msgspec.Struct, frozen=True, gc=False):
    """What an address and a user agent tell; the fields are those of ``Event``, "" where unknown."""

    bot: str = ""
    bot_reason: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    region: str = ""
    city: str = ""
    company: str = ""
    gateway: str = ""
    """No field of ``Event``: mail adapters put it into the properties."""


NO_EDGE = Edge()
Enrich = Callable[[str, str], Edge]
"""(address, user agent) -> Edge; either may be "" (unknown), and only known parts are filled. Cheap: cached."""


def no_enrichment(_address: str, _user_agent: str) -> Edge:
    """Know nothing: for servers' events and for tests."""
    return NO_EDGE


def new_id() -> str:
    """A fresh id for an event whose client sent none."""
    return uuid4().hex


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter may know of the HTTP request."""

    received_at: int
    """ms"""
    source: Source | None = None
    """Of the write key in the Authorization header (Basic or Bearer); None: no such key there."""
    sources: Mapping[str, Source] = MappingProxyType({})
    """All sources by write key, for formats that carry the key in the body (``writeKey``, ``aid``)."""
    webhook: Webhook | None = None
    """The configured webhook of /webhooks/{provider}/{name}; its signature has been checked."""
    is_head: bool = False
    """HEAD instead of GET: the client does not want what is there, only to know whether it is."""
    path: str = "/"
    """The endpoint's, e.g. /v1/t."""
    query: str = ""
    """As sent: percent-encoded, without the question mark. Of a POST only for signed addresses."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Look up with lower-case names."""
    address: str = ""
    """The connection's IP (or the forwarded one, where that is trusted). For ``enrich`` only: never into an event."""
    network_id: str = ""
    """Value of the collector's own cookie (Snowplow's ``sp``), "" where there is none or it must not be used."""
    max_event_bytes: int = 32 << 10
    max_batch_events: int = 2500
    enrich: Enrich = no_enrichment
    new_id: Callable[[], str] = new_id

    def connection_edge(self) -> Edge:
        """What the connection itself tells; for events that a browser sent, never for servers' SDKs."""
        return self.enrich(self.address, self.headers.get("user-agent", ""))

    @property
    def gpc(self) -> bool:
        """The browser asks not to be sold or shared (Sec-GPC)."""
        return self.headers.get("sec-gpc") == "1"


class Parsed(msgspec.Struct):
    """What became of a body: each thing in it is either in ``events`` or in ``rejected``."""

    events: list[Event]
    rejected: list[Rejected] = []
    """Go to the dead letters with their bytes; the answer stays 200."""
    fault: Rejected | None = None
    """The body as a whole is useless (not JSON, wrong shape): answered 400, nothing is stored."""
    source: Source | None = None
    """Whose dead letters they are."""
    ignored: int = 0
    """Things that are no events by design (a provider's test, the echo of something reported already): only counted."""
    location: str = ""
    """Where the client is sent on to."""
    page: str = ""
    """HTML that the client is shown once all is on the log."""
    visit: str = ""
    """Address that has to be opened before the answer: Amazon SNS asks whether a subscription is wanted."""
    noted: list[Rejected] = []
    """What could not be used of things that are in ``events`` all the same: dead letters, too."""


Adapter = Callable[[bytes, Request], Parsed]


def faulty(fault: Rejected) -> Parsed:
    """The answer to a body that is useless as a whole."""
    return Parsed([], [], fault)
