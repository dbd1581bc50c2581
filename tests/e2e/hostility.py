"""What hostile and broken senders send: values for any field, objects of every protocol, damaged bodies, giants."""

import gzip

from hypothesis import strategies as st

from tests.support.webhooks import SENDERS

PATHS = [
    "/v1/batch", "/v1/track", "/v1/identify", "/v1/group", "/v1/alias", "/v1/t", "/v1/p",
    "/com.snowplowanalytics.snowplow/tp2", "/batch/", "/capture/", "/t",
    "/v1/crm/accounts", "/v1/crm/contacts", "/v1/crm/opportunities",
    "/v1/crm/activities", "/v1/costs", *(sender.path for sender in SENDERS.values()),
]  # fmt: skip
NASTY_TEXT = st.sampled_from([
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "a/b", "default/v:x", "x\ny", "\x1b[31m", "\u202e\u2066", "😀" * 50,
    "x" * 10_000, "null", "undefined", "0000-0000", "a@b@c", "@", "ann@acme.com\x00", "mailto:<a@b.co>", "ä@ö.de",
    "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "\\", '"', "NaN", "1e999", "-1", "\ufeff", "\u2028",
    "0000-00-00T00:00:00Z", "0000-01-01", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z",
    "2026-02-30", "+275760-09-13", "http://[", "http://" + "a" * 9_000, "javascript:alert(1)", "//:99999", "?" + "a=1&" * 2_000,
    "https://acme.com/?utm_source=%00&utm_medium=%FF%FE&utm_campaign=" + "%41" * 3_000, "EURO", "€", "btc", "Closed Won",
])  # fmt: skip
NASTY_NUMBER = st.sampled_from([
    0, -1, 2**31, 2**53 + 1, 2**62, -(2**63), 2**63, 2**64, 10**400, -(10**400), 1e308, -1e308, 5e-324, 0.1, -0.0,
    253402300799999, -62135596800000, 1e15, 10**15 + 1, -(10**15),
])  # fmt: skip
SCALARS = st.none() | st.booleans() | NASTY_NUMBER | NASTY_TEXT | st.text(max_size=20) | st.integers() | st.floats()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NASTY_TEXT | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "type", "event", "name", "userId", "anonymousId", "groupId", "previousId", "messageId", "timestamp", "sentAt",
    "originalTimestamp", "context", "properties", "traits", "channel", "id", "at", "visitor", "session", "user", "group",
    "url", "referrer", "title", "engaged", "consent", "eid", "e", "p",
    "aid", "dtm", "stm", "ttm", "uid", "duid", "page", "refr", "ue_px",
    "ue_pr", "cx", "co", "se_ca", "se_ac", "se_va", "ip", "ua", "tr_tt", "domain", "domains", "parent_id", "owner", "stage",
    "email", "account_id", "user_id", "amount", "currency", "contact_emails", "created_at", "closed_at", "updated_at",
    "contact_ids", "contact_id",
    "distinct_id", "uuid", "$set", "$groups", "$group_key", "$ip",
    "occurred_at", "subject", "date", "utm_source", "utm_medium", "utm_campaign", "_p", "_o", "_i", "version", "tenant", "node",
]  # fmt: skip
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "page": st.dictionaries(st.sampled_from(["url", "referrer", "title"]), SCALARS),
        "campaign": st.dictionaries(st.sampled_from(["source", "medium", "name", "term"]), SCALARS),
        "traits": st.dictionaries(st.just("email"), SCALARS),
        "consent": st.dictionaries(st.just("categoryPreferences"), VALUES),
        "groupId": SCALARS,
        "ip": SCALARS,
        "userAgent": SCALARS,
    },
)
KINDS = st.sampled_from(["track", "page", "screen", "identify", "group", "alias", "ping", "crm.account", "x"])
OBJECTS = st.builds(
    lambda kind, who, rest, context, stage: (
        {
            "type": kind,
            "event": "Demo Requested",
            "e": "pv",
            "aid": "dev",
            "anonymousId": who,
            "duid": who,
            "visitor": who,
        }
        | {"id": who, "email": "ann@acme.com", "stage": stage, "date": "2026-01-01", "amount": "5", "currency": "EUR"}
        | rest
        | ({"context": context} if context else {})
    ),
    KINDS,
    st.sampled_from(["v1", "v2", "😀", "x" * 256, "a/b", "ü:1"]) | NASTY_TEXT,
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5),
    CONTEXTS,
    st.sampled_from(["open", "won", "lost", "demo"]),
)
DAMAGES = ["", "", "", "", "gzip", "cut gzip", "no gzip", "cut", "flip", "utf-16", "latin-1", "raw nul"]


def damaged(body: bytes, damage: str, place: int) -> tuple[bytes, dict[str, str]]:
    """The body as a broken sender would send it, and the headers that it adds."""
    cut = place % (len(body) + 1)
    squeezed, charset = {"Content-Encoding": "gzip"}, "application/json; charset="
    kinds: dict[str, tuple[bytes, dict[str, str]]] = {
        "gzip": (gzip.compress(body), squeezed),
        "cut gzip": (gzip.compress(body)[: 5 + place % 40], squeezed),
        "no gzip": (body, squeezed),
        "cut": (body[:cut], {}),
        "flip": (body[:cut] + b"\xff" + body[cut + 1 :], {}),
        "utf-16": (body.decode().encode("utf-16"), {"Content-Type": charset + "utf-16"}),
        "latin-1": (body.replace(b"\\u00", b"\xe9"), {"Content-Type": charset + "latin-1"}),
        "raw nul": (body[:cut] + b"\x00" + body[cut:], {}),
    }
    return kinds.get(damage, (body, {}))


def wrapped(path: str, objects: list[object]) -> object:
    """The objects in the envelope of the path's protocol."""
    last = path.rstrip("/").rpartition("/")[2]
    if last == "batch":
        return {"api_key": "dev", "batch": objects, "sentAt": "2026-01-01T00:00:00Z"}
    if last == "tp2":
        return {"schema": "iglu:x", "data": objects}
    if path == "/t":
        return {"key": "dev", "events": objects}
    return objects if path.startswith(("/v1/c", "/webhooks")) else objects[0]


GIANTS = [
    b"[" * 1_000_000,
    b'{"batch":' + b'[{"a":' * 200_000,
    b'{"batch":[{"type":"track","event":"E","userId":"u","properties":' + b"[" * 3_000 + b"]" * 3_000 + b"}]}",
    b'{"batch":[{"type":"track","event":"E","userId":"u","properties":{"a":1e999}}]}',
    b'{"batch":[{"type":"track","event":"E","userId":"u","properties":{"a":' + b"9" * 400 + b"}}]}",
    b'{"batch":[{"type":"track","event":"E","userId":' + b"9" * 5_000 + b"}]}",
    b'{"batch":[{"type":"track","event":"E","userId":"u","timestamp":' + b"9" * 5_000 + b"}]}",
    b'{"batch":[' + b"1," * 1_000_000 + b"1]}",
    b'{"batch":[{"type":"track","event":"E","userId":"u","properties":{"x":"' + b"y" * 100_000 + b'"}}]}',
    b"\x00" * 1_000_000,
    b"x" * 5_000_000,
    b"\xff\xfe\xfd" * 1_000,
    b"\xef\xbb\xbf{}",
    b'{"batch":[{"type":"track","event":"\\ud800\\u0000","userId":"\\u0000\\ud800u","properties":{"\\u0000":"\\udfff"}}]}',
]
