"""What the SDKs would have sent: visits as t.js, Segment and Snowplow put them on the wire. Never a send time.

A send time says how wrong the sender's clock is; the story is told months after it happened, which is no clock's fault.
"""

from typing import Any, Final

import msgspec

from stream.cli.demo_story.crm import iso
from stream.cli.demo_story.visits import Hit, Visit

KEY: Final = "dev"
TRACKER: Final = "/t"
SEGMENT: Final = "/v1/batch"
SNOWPLOW: Final = "/com.snowplowanalytics.snowplow/tp2"
_LIBRARY: Final = {"name": "analytics.js", "version": "next-1.81.0"}

encode: Final = msgspec.json.Encoder().encode


def tracker_body(visit: Visit, key: str) -> bytes:
    """One request of ``t.js`` for the whole visit."""
    events = [_tracker_event(hit, visit.device.visitor) for hit in visit.hits]
    return encode({"key": key, "locale": "en-GB", "screen": [1920, 1080], "webdriver": False, "events": events})


def segment_items(visit: Visit) -> list[bytes]:
    """Items of a Segment batch, as a server passes on what browsers sent it."""
    return [_segment_item(hit, visit) for hit in visit.hits if hit.kind != "ping"]


def segment_body(items: list[bytes], key: str) -> bytes:
    """A batch of items."""
    return b'{"writeKey":%b,"batch":[%b]}' % (encode(key), b",".join(items))


def snowplow_body(visit: Visit, key: str) -> bytes:
    """One POST of the Snowplow tracker."""
    schema = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
    return encode({"schema": schema, "data": [_snowplow_event(hit, visit, key) for hit in visit.hits]})


def _tracker_event(hit: Hit, visitor: str) -> dict[str, Any]:
    event: dict[str, Any] = {"id": hit.id, "type": hit.kind, "at": hit.at, "visitor": visitor, "url": hit.url}
    if hit.referrer:
        event["referrer"] = hit.referrer
    if hit.name:
        event["name"] = hit.name
    if hit.engaged:
        event["engaged"] = hit.engaged
    if hit.email:
        event |= {"user": hit.email, "traits": {"email": hit.email}}
    if hit.properties:
        event["properties"] = hit.properties
    if hit.account:
        event["group"] = hit.account
    return event


def _segment_item(hit: Hit, visit: Visit) -> bytes:
    page = {"url": hit.url, "referrer": hit.referrer}
    item: dict[str, Any] = {
        "type": hit.kind,
        "messageId": hit.id,
        "anonymousId": visit.device.visitor,
        "timestamp": iso(hit.at),
        "context": {"page": page, "userAgent": visit.device.agent, "library": _LIBRARY},
    }
    if hit.name:
        item["event"] = hit.name
    if hit.email:
        item |= {"userId": hit.email, "traits": {"email": hit.email}}
    if hit.account:
        item["groupId"] = hit.account
    if hit.properties:
        item["properties"] = hit.properties
    return encode(item)


def _snowplow_event(hit: Hit, visit: Visit, key: str) -> dict[str, str]:
    kind = {"page": "pv", "ping": "pp"}.get(hit.kind, "se")
    event = {"e": kind, "eid": hit.id, "aid": key, "p": "web", "tv": "js-4.6.8", "dtm": str(hit.at)}
    event |= {"duid": visit.device.visitor, "url": hit.url, "refr": hit.referrer, "ua": visit.device.agent}
    return event | ({"se_ca": "site", "se_ac": hit.name} if kind == "se" else {})
