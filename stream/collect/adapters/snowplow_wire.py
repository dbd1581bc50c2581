"""Snowplow's tracker protocol as a struct, and the JSON that it wraps in base64."""

import base64
import binascii
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from schemas.rejections import RejectReason
from stream.collect.bodies import Unfit, clean, depth_fault
from stream.collect.fitting import fitted

Value = str | int | float | None
"""The protocol says text; some trackers send numbers."""
_FIELDS_LIMIT = 300
"""Parameters of a GET request; the protocol has about 130."""
_STANDARD = str.maketrans("-_ ", "+/+")
"""To the standard alphabet. The blank is a plus that was not percent-encoded."""


class Payload(msgspec.Struct, gc=False):
    """One event, by the parameters' own names."""

    e: Value = None
    eid: Value = None
    p: Value = None
    aid: Value = None
    tna: Value = None
    tv: Value = None
    dtm: Value = None
    stm: Value = None
    ttm: Value = None
    uid: Value = None
    duid: Value = None
    tnuid: Value = None
    nuid: Value = None
    sid: Value = None
    url: Value = None
    page: Value = None
    refr: Value = None
    ue_px: Value = None
    ue_pr: Value = None
    cx: Value = None
    co: Value = None
    se_ca: Value = None
    se_ac: Value = None
    se_la: Value = None
    se_pr: Value = None
    se_va: Value = None
    pp_mix: Value = None
    pp_max: Value = None
    pp_miy: Value = None
    pp_may: Value = None
    tr_id: Value = None
    tr_af: Value = None
    tr_tt: Value = None
    tr_tx: Value = None
    tr_sh: Value = None
    tr_cu: Value = None
    ti_id: Value = None
    ti_sk: Value = None
    ti_nm: Value = None
    ti_ca: Value = None
    ti_pr: Value = None
    ti_qu: Value = None
    ti_cu: Value = None
    ip: Value = None
    ua: Value = None
    lang: Value = None


class Posted(msgspec.Struct, gc=False):
    """``payload_data``: the body of a POST."""

    data: list[Raw]


class SelfDescribing(msgspec.Struct, gc=False):
    """``{"schema": "iglu:vendor/name/format/version", "data": ...}``, data still to be decoded."""

    schema: str
    data: Raw

    @property
    def name(self) -> str:
        """Third from the right of the schema's address: the name that people gave it."""
        parts = self.schema.removeprefix("iglu:").split("/")
        return parts[1] if len(parts) > 1 else ""


decode_posted = msgspec.json.Decoder(Posted).decode
_payload = msgspec.json.Decoder(Payload).decode
_self_describing = msgspec.json.Decoder(SelfDescribing).decode
_entities = msgspec.json.Decoder(list[SelfDescribing]).decode


def read_payload(raw: bytes | Raw) -> Payload:
    """An element of ``data``. Raises: one of ``bodies.UNREADABLE``."""
    try:
        return _payload(raw)
    except msgspec.ValidationError:
        return fitted(Payload, raw)


def read_query(query: str) -> Payload:
    """The parameters of a GET; the first of a name counts. Raises: Unfit."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=_FIELDS_LIMIT)
    except ValueError:
        raise Unfit(RejectReason.TOO_MANY, "parameters") from None
    return msgspec.convert(dict(reversed(pairs)), Payload)


def event_of(payload: Payload) -> SelfDescribing | None:
    """The self-describing event. Raises: Unfit."""
    wrapped = _wrapped(payload.ue_px, payload.ue_pr, "ue_px")
    if wrapped is None:
        return None
    try:
        return _self_describing(wrapped.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unfit(RejectReason.BAD_VALUE, "ue_px") from None


def entities_of(payload: Payload) -> list[SelfDescribing]:
    """The entities (contexts) of the event. Raises: Unfit."""
    wrapped = _wrapped(payload.cx, payload.co, "cx")
    if wrapped is None:
        return []
    try:
        return _entities(wrapped.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unfit(RejectReason.BAD_VALUE, "cx") from None


def _wrapped(encoded: Value, plain: Value, name: str) -> SelfDescribing | None:
    if not encoded and not plain:
        return None
    json = _from_base64(str(encoded), name) if encoded else str(plain).encode("utf-8", "replace")
    json = clean(json)
    if depth_fault(json):
        raise Unfit(RejectReason.TOO_DEEP, name)
    try:
        return _self_describing(json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unfit(RejectReason.BAD_VALUE, name) from None


def _from_base64(text: str, name: str) -> bytes:
    """Either alphabet, with or without padding."""
    bare = text.strip().translate(_STANDARD).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unfit(RejectReason.BAD_VALUE, name) from None
