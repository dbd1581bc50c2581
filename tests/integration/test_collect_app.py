"""The collector over HTTP with a real broker: what is answered, and what is on the log then."""

import asyncio
import base64
import gzip
import hashlib
import hmac
import io
import json
import re
from importlib import metadata

import pytest

from schemas import topics
from stream.collect.log import Log
from stream.collect.ticks import send_tick
from stream.settings import Config, Source
from tests.support.collecting import collecting, collector_settings

DEV = {"Authorization": "Basic " + base64.b64encode(b"dev:").decode()}
ORIGIN = "https://www.example.com"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36"
}


def batch(*ids, **members):
    items = [{"type": "track", "event": "E", "userId": "u", "messageId": i, **members} for i in ids]
    return json.dumps({"batch": items}).encode()


@pytest.fixture
async def collector(bootstrap):
    async with collecting(collector_settings(bootstrap)) as running:
        yield running


async def test_an_acknowledged_batch_is_on_the_log(collector):
    async with collector.client.post("/v1/batch", data=batch("1", "2", "3"), headers=DEV) as answer:
        assert (answer.status, await answer.json()) == (200, {"success": True})
    assert sorted(event["id"] for event in await collector.events()) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json; charset=utf-16", "Content-Encoding": "gzip"},
        {},
    ],
)
async def test_the_content_type_does_not_count(collector, headers):
    body = batch("1")
    packed = gzip.compress(body) if "Content-Encoding" in headers else body
    async with collector.client.post("/v1/batch", data=packed, headers=DEV | headers) as answer:
        assert answer.status == 200
    assert len(await collector.events()) == 1


@pytest.mark.parametrize("authorization", ["Basic ZGV2Og==", "Basic ZGV2", "Bearer dev"])
async def test_write_keys_come_in_any_authorization(collector, authorization):
    async with collector.client.post("/v1/batch", data=batch("1"), headers={"Authorization": authorization}):
        pass
    assert [event["source"] for event in await collector.events()] == ["website"]


async def test_bad_events_are_dead_letters_with_their_bytes_and_the_answer_stays_200(collector):
    body = json.dumps({"batch": [{"type": "nope", "userId": "u"}, {"type": "track", "event": "E", "userId": "u"}]})
    async with collector.client.post("/v1/batch", data=body, headers=DEV) as answer:
        assert answer.status == 200
    (letter,) = await collector.dead_letters()
    assert (letter["reason"], letter["source"]) == ("unsupported", "website")
    assert json.loads(base64.b64decode(letter["body"])) == {"type": "nope", "userId": "u"}
    assert (letter["path"], "gpc" in letter, "envelope" in letter) == ("/v1/batch", False, False)
    assert len(await collector.events()) == 1


async def test_a_dead_letter_knows_what_its_request_said_beside_it(collector):
    said = {"sentAt": "2026-01-02T03:04:05Z", "context": {"consent": {"categoryPreferences": {"Analytics": False}}}}
    body = json.dumps(said | {"batch": [{"type": "nope", "userId": "u"}], "writeKey": "dev"})
    for more in ({}, {"Authorization": "Bearer nope"}):
        async with collector.client.post("/v1/b", data=body, headers={"Sec-GPC": "1"} | more) as answer:
            assert answer.status == 200
    body = json.dumps({"batch": [{"type": "nope"}], "writeKey": "nope", "context": {"a": "x" * 40_000}})
    async with collector.client.post("/v1/b", data=body) as answer:
        assert answer.status == 200
    letters = await collector.dead_letters()
    (large,) = (letter for letter in letters if "gpc" not in letter)
    assert len(letters) == 3
    for letter in (letter for letter in letters if letter is not large):
        assert (letter["path"], letter["gpc"], json.loads(base64.b64decode(letter["envelope"]))) == (
            "/v1/b",
            True,
            said,
        )
    assert base64.b64decode(large["envelope"]) == b"null"


async def test_what_of_a_row_cannot_be_read_is_a_dead_letter_beside_its_event(collector):
    row = {"id": "a", "name": "Acme", "domain": "to be done"}
    async with collector.client.post("/v1/crm/accounts", data=json.dumps(row), headers=DEV) as answer:
        assert answer.status == 200
    (letter,) = await collector.dead_letters()
    assert (letter["reason"], letter["detail"]) == ("bad_value", "domain")
    assert json.loads(base64.b64decode(letter["body"])) == row
    assert [event["properties"] for event in await collector.events()] == [{"id": "a", "name": "Acme"}]


async def test_an_unknown_write_key_is_answered_200_and_dead_lettered(collector):
    async with collector.client.post("/v1/batch", data=batch("1"), headers={"Authorization": "Bearer nope"}) as answer:
        assert answer.status == 200
    assert [letter["reason"] for letter in await collector.dead_letters()] == ["unknown_key"]
    assert await collector.events() == []


@pytest.mark.parametrize(
    ("path", "body", "headers", "reason"),
    [
        ("/v1/batch", b"{nonsense", {}, "malformed"),
        ("/v1/track", b"", {}, "malformed"),
        ("/v1/t", b"[1]", DEV, "malformed"),
        ("/v1/batch", b"x" * 5_000_000, {}, "too_large"),
        ("/v1/batch", gzip.compress(bytes(50_000_000)), {"Content-Encoding": "gzip"}, "too_large"),
        ("/v1/batch", gzip.compress(b'{"batch":[]}')[:-4], {"Content-Encoding": "gzip"}, "malformed"),
        ("/v1/batch", b"no gzip", {"Content-Encoding": "gzip"}, "malformed"),
        ("/v1/batch", b"x", {"Content-Encoding": "snappy"}, "unsupported"),
        ("/com.snowplowanalytics.snowplow/tp2", b"{", {}, "malformed"),
        ("/v1/batch", b'{"batch":[' + b"[" * 100_000, {}, "too_deep"),
    ],
)
async def test_useless_bodies_are_answered_400_with_the_reason(collector, path, body, headers, reason):
    async with collector.client.post(path, data=io.BytesIO(body), headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["reason"] == reason
    async with collector.client.post("/v1/batch", data=batch("after"), headers=DEV) as answer:
        assert answer.status == 200


async def test_many_clients_at_once_each_get_their_events_through(collector):
    async def send(number):
        async with collector.client.post("/v1/batch", data=batch(f"{number}-a", f"{number}-b"), headers=DEV) as answer:
            return answer.status

    statuses = await asyncio.gather(*(send(n) for n in range(100)))
    assert set(statuses) == {200}
    expected = sorted(f"{n}-{x}" for n in range(100) for x in "ab")
    assert sorted(event["id"] for event in await collector.events()) == expected


async def test_snowplow_get_answers_a_pixel_and_a_cookie(collector):
    url = "/i?e=pv&p=web&aid=dev&tv=js&url=https%3A%2F%2Fexample.com%2F"
    async with collector.client.get(url, headers={"Origin": ORIGIN}) as answer:
        assert (answer.status, answer.content_type) == (200, "image/gif")
        assert (await answer.read())[:6] == b"GIF89a"
        cookie = answer.headers["Set-Cookie"]
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert all(part in cookie for part in ("sp=", "Secure", "HttpOnly", "SameSite=None", "Max-Age=31536000"))
    (event,) = await collector.events()
    assert event["visitor"] == cookie.partition("=")[2].partition(";")[0]


async def test_snowplow_anonymous_tracking_gets_no_cookie(collector):
    async with collector.client.get("/i?e=pv&p=web&aid=dev&duid=d", headers={"SP-Anonymous": "*"}) as answer:
        assert (answer.status, answer.headers.get("Set-Cookie")) == (200, None)


@pytest.mark.parametrize("path", ["/v1/t", "/v1/batch", "/i", "/com.snowplowanalytics.snowplow/tp2"])
async def test_preflights_allow_what_the_browser_sdks_send(collector, path):
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    async with collector.client.options(path, headers=headers) as answer:
        assert answer.status in {200, 204}
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert all(h in allowed for h in ("authorization", "content-type", "x-retry-count", "sp-anonymous"))
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]


async def test_a_preflight_allows_whatever_headers_a_new_sdk_sends(collector):
    headers = {"Origin": ORIGIN, "Access-Control-Request-Headers": "anonymousid,authorization,sentat,x-of-tomorrow"}
    for path in ("/v1/track", "/sourceConfig/"):
        async with collector.client.options(path, headers=headers) as answer:
            assert answer.headers["Access-Control-Allow-Headers"] == headers["Access-Control-Request-Headers"]
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


async def test_pages_of_other_origins_cannot_use_a_key(bootstrap):
    config = Config(sources=(Source("website", "dev", origins=(ORIGIN,)),))
    async with collecting(collector_settings(bootstrap), config) as collector:
        for origin in (ORIGIN, "https://evil.example"):
            async with collector.client.post(
                "/v1/batch", data=batch(origin), headers=DEV | {"Origin": origin}
            ) as answer:
                assert answer.status == 200
        assert [event["id"] for event in await collector.events()] == [ORIGIN]
        assert [letter["detail"] for letter in await collector.dead_letters()] == ["Origin"]


async def test_each_source_has_its_own_names_for_analytics(bootstrap):
    sources = (Source("shop", "shop", analytics_consent=("measure",)), Source("website", "dev"))
    async with collecting(collector_settings(bootstrap), Config(sources=sources)) as collector:
        for key in ("shop", "dev"):
            call = {"messageId": key, "type": "track", "event": "E", "userId": "u1", "anonymousId": "v1"}
            call["context"] = {"consentManagement": {"allowedConsentIds": ["measure"], "deniedConsentIds": []}}
            body = json.dumps({"writeKey": key, "batch": [call]})
            async with collector.client.post("/v1/batch", data=body) as answer:
                assert answer.status == 200
        found = {event["id"]: (event.get("user"), event["visitor"] == "v1") for event in await collector.events()}
        assert found == {"shop": ("u1", True), "dev": (None, False)}


async def test_operations_are_told_how_it_stands(collector):
    async with collector.client.post("/v1/batch", data=batch("1", "2"), headers=DEV):
        pass
    async with collector.client.get("/healthz") as answer:
        assert answer.status == 200
    async with collector.client.get("/metrics") as answer:
        figures = await answer.text()
    assert 'touchline_collect_events_total{path="/v1/batch"} 2.0' in figures
    assert "touchline_collect_buffered_bytes 0.0" in figures
    async with collector.client.get("/v1/projects/dev/settings") as answer:
        assert "Segment.io" in (await answer.json())["integrations"]
    async with collector.client.get("/sourceConfig/?writeKey=dev", headers={"Origin": ORIGIN}) as answer:
        assert (await answer.json())["source"] == {"id": "dev", "enabled": True, "config": {}, "destinations": []}
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_who_opens_the_address_in_a_browser_is_told_what_answers_there(collector):
    async with collector.client.get("/", headers={"Accept": HTML}) as answer:
        page = await answer.text()
        assert (answer.status, answer.content_type, answer.headers["Vary"]) == (200, "text/html", "Accept")
        policy = answer.headers["Content-Security-Policy"]
    paths = re.findall(r'href="([^"]+)"', page)
    assert {"/healthz", "/t.js", "/openapi.json"} <= set(paths)
    for path in paths:  # whatever it names is there
        async with collector.client.get(path) as answer:
            assert answer.status == 200, path
    assert "docs/collect.md" in page
    # Nothing is loaded, and the one style is the one that the policy allows.
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert not re.search(r"<script|<link|<img|src=|style=|url\(|//", page)
    assert metadata.version("touchline") not in page


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html;q=0.5"])
async def test_programs_are_told_the_same_as_json(collector, accept):
    headers = {} if accept is None else {"Accept": accept}
    async with collector.client.get("/", headers=headers, skip_auto_headers=["Accept"]) as answer:
        assert (answer.status, answer.headers["Vary"]) == (200, "Accept")
        found = await answer.json()
    assert (found["service"], found["documentation"]) == ("touchline collector", "docs/collect.md")
    assert {"/healthz", "/t.js", "/openapi.json"} <= set(found["endpoints"])
    assert metadata.version("touchline") not in json.dumps(found)


@pytest.mark.parametrize("accept", [HTML, "*/*"])
async def test_head_says_what_get_would_without_saying_it(collector, accept):
    async with collector.client.get("/", headers={"Accept": accept}) as answer:
        whole = await answer.read()
    async with collector.client.head("/", headers={"Accept": accept}) as head:
        assert (head.status, await head.read()) == (200, b"")
        assert head.headers["Content-Length"] == str(len(whole))
        assert head.headers["Content-Type"] == answer.headers["Content-Type"]


async def test_the_tracker_is_small_and_cached(collector):
    async with collector.client.get("/t.js", headers={"Accept-Encoding": "gzip"}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/javascript")
        assert answer.headers["Content-Encoding"] == "gzip"
        assert int(answer.headers["Content-Length"]) <= 2048
        etag = answer.headers["ETag"]
    async with collector.client.get("/t.js", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304


async def test_ticks_reach_every_partition_of_both_stages(collector):
    log = Log(collector.settings)
    log.start()
    while not log.ready:  # noqa: ASYNC110 - nothing to wait on but the state
        await asyncio.sleep(0.01)
    await send_tick(log, collector.settings, 1767323045678)
    await log.stop()
    for topic in (topics.EVENTS, topics.ACCOUNTS):
        ticks = await collector.records(topic)
        assert sorted(record.partition for record in ticks) == [0, 1]
        assert all(record.value == b'{"m":"tick","at":1767323045678}' for record in ticks)
        assert all(record.headers == ((topics.KIND_HEADER, b"control"),) for record in ticks)


async def test_a_link_in_an_email_sends_its_reader_on_and_its_click_to_the_log(bootstrap):
    secret, page = "a-long-secret", "https://www.acme.com/pricing?x=1"
    signed = f"link\n{page}\nm1\nann@acme.com\nspring".encode()
    link = {"key": "mail", "u": page, "message_id": "m1", "email": "ann@acme.com", "campaign": "spring"}
    link["sig"] = hmac.new(secret.encode(), signed, "sha256").hexdigest()
    config = Config(sources=(Source("mail", "mail", mail_secret=secret),))
    async with collecting(collector_settings(bootstrap), config) as running:
        for method, given in (("GET", link), ("HEAD", link), ("GET", link | {"u": "https://evil.example/"})):
            async with running.client.request(
                method, "/r", params=given, headers=BROWSER, allow_redirects=False
            ) as answer:
                ours = given is link
                assert answer.status == (302 if ours else 400)
                assert answer.headers.get("Location") == (page if ours else None)
        clicks = await running.events()
        assert [(c["name"], c["email"], c.get("bot", "")) for c in clicks] == [
            ("clicked", "ann@acme.com", ""),
            ("clicked", "ann@acme.com", "scanner"),
        ]
        assert await running.dead_letters() == []


async def test_only_the_button_or_one_click_unsubscribes_and_looking_does_not(bootstrap):
    secret = "a-long-secret"
    address = {"key": "mail", "message_id": "m1", "email": "ann@acme.com", "campaign": "spring"}
    address["sig"] = hmac.new(secret.encode(), b"unsubscribe\nm1\nann@acme.com\nspring", "sha256").hexdigest()
    # The browser hides where the page with the button comes from, and no write key's origins count for it.
    config = Config(sources=(Source("mail", "mail", mail_secret=secret, origins=("https://www.acme.com",)),))
    async with collecting(collector_settings(bootstrap), config) as running:
        for method, body, headers, status in (
            ("GET", None, {}, 200),
            ("HEAD", None, {}, 200),
            ("POST", {}, {}, 400),
            ("POST", {"List-Unsubscribe": "One-Click"}, {"Origin": "null"}, 200),
            ("POST", {"List-Unsubscribe": "One-Click"}, {}, 200),
        ):
            async with running.client.request(method, "/u", params=address, data=body, headers=headers) as answer:
                assert answer.status == status
                if status == 200:
                    assert answer.content_type == "text/html"
                    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
                    assert answer.headers["Cache-Control"] == "no-store"
                    assert ("ann@acme.com" in await answer.text()) == (method != "HEAD")
        async with running.client.post(
            "/u", params=address | {"email": "eve@acme.com"}, data={"List-Unsubscribe": "One-Click"}
        ) as answer:
            assert answer.status == 400
        wishes = await running.events()
        assert [(w["name"], w["email"]) for w in wishes] == [("unsubscribed", "ann@acme.com")] * 2
        assert len({w["id"] for w in wishes}) == 1
        assert await running.dead_letters() == []
