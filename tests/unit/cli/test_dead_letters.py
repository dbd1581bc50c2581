"""What is sent of a dead letter: as if it came when it came, and never a second time."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli.letters.again import Again, again, body_of
from stream.cli.letters.reading import Letter, Wanted
from stream.cli.letters.sending import Sender
from stream.cli.main import cli
from stream.collect.adapters import crm, segment
from stream.collect.bodies import BODY_KEPT
from stream.collect.request import Request
from stream.settings import Source

CAME = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z
NOW = CAME + 40 * 86_400_000
WEBSITE = Source("website", "dev")
SOURCES = {("default", "website"): WEBSITE}


def letter(path: str = "/v1/batch", **changes: Any) -> Letter:
    given: dict[str, Any] = {
        "id": "l1", "tenant": "default", "received_at": CAME, "source": "website", "reason": "bug", "detail": "",
        "path": path, "gpc": False, "address": "", "size": 0,
    }  # fmt: skip
    return Letter(**(given | changes))


def sent(
    body: Any, envelope: Any = None, *, path: str = "/v1/batch", key: str = "", target: str = "", **changes: Any
) -> Again | str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = b"" if envelope is None else json.dumps(envelope).encode()
    return again(letter(path, **changes), raw, said, path=target, key=key, sources=SOURCES, now=NOW)


def items(found: Again | str) -> list[dict[str, Any]]:
    assert isinstance(found, Again), found
    assert found.refused == {}
    return [json.loads(item) for item in found.items]


def at_the_collector(found: Again | str, *, now: int = NOW) -> list[Any]:
    """The events of the request, whenever it comes."""
    assert isinstance(found, Again), found
    read = segment.events_of if found.path in ("/v1/batch", "/v1/b") else crm.events_of
    body = body_of(found.path, found.context, found.items)
    parsed = read(body, Request(received_at=now, source=WEBSITE, path=found.path))
    assert (parsed.rejected, parsed.noted, parsed.fault) == ([], [], None)
    return parsed.events


PAGE = {"type": "page", "anonymousId": "v1", "messageId": "m1"}


@pytest.mark.parametrize(
    ("call", "envelope", "at"),
    [
        # No time: when it came.
        ({}, None, CAME),
        # The client's clock is an hour behind: 03:00:00 by it is 04:00:00, if it was sent at 02:04:05.678.
        ({"timestamp": "2026-01-02T02:00:00Z"}, {"sentAt": "2026-01-02T02:04:05.678Z"}, CAME - 245_678),
        ({"timestamp": "2026-01-02T02:00:00Z", "sentAt": "2026-01-02T02:04:05.678Z"}, None, CAME - 245_678),
        ({"originalTimestamp": "2026-01-02T02:00:00Z", "sentAt": CAME - 3_600_000}, None, CAME - 245_678),
        ({"timestamp": "2026-01-02T03:00:00Z"}, None, CAME - 245_678),
        # Both: it stands as it is.
        (
            {"timestamp": "2026-01-02T03:00:00Z", "originalTimestamp": "2026-01-02T02:00:00Z"},
            {"sentAt": 1},
            CAME - 245_678,
        ),
        # Nothing is in the future of when it came.
        ({"timestamp": "2026-01-09T03:00:00Z"}, None, CAME),
    ],
)
def test_a_call_is_at_the_time_that_it_had(call: dict[str, Any], envelope: Any, at: int) -> None:
    found = sent([PAGE | call], envelope)
    for now in (NOW, NOW + 86_400_000):
        (event,) = at_the_collector(found, now=now)
        assert (event.at, event.id, event.visitor) == (at, "m1", "v1")


def test_what_has_no_id_has_the_same_each_time() -> None:
    body = [{"type": "page", "anonymousId": "v1"}, {"type": "page", "anonymousId": "v1"}]
    first, second = items(sent(body)), items(sent(body))
    assert first == second
    assert len({item["messageId"] for item in first}) == 2
    assert items(sent(body, id="l2"))[0]["messageId"] != first[0]["messageId"]


def test_the_path_says_what_a_single_call_is() -> None:
    found = sent({"event": "Demo", "userId": "u1"}, path="/v1/track")
    (event,) = at_the_collector(found)
    assert isinstance(found, Again)
    assert (found.path, event.type, event.name) == ("/v1/batch", "track", "Demo")


def test_what_the_envelope_said_goes_with_its_calls() -> None:
    consent = {"consent": {"categoryPreferences": {"Analytics": False}}}
    found = sent([PAGE], {"context": consent})
    (event,) = at_the_collector(found)
    assert event.consent == {"Analytics": False}
    # So it does where the letter is the whole request.
    (event,) = at_the_collector(sent({"batch": [PAGE], "context": consent, "writeKey": "x"}))
    assert event.consent == {"Analytics": False}


def test_our_own_address_is_nobodys() -> None:
    assert items(sent([PAGE]))[0]["context"] == {"ip": "0.0.0.0"}
    (item,) = items(sent([PAGE | {"context": {"ip": "203.0.113.7"}}]))
    assert item["context"] == {"ip": "203.0.113.7"}


def test_a_row_without_a_version_is_as_of_when_it_came() -> None:
    (event,) = at_the_collector(sent({"id": "a", "name": "Acme"}, path="/v1/crm/accounts"))
    request = Request(received_at=CAME, source=WEBSITE, path="/v1/crm/accounts")
    (then,) = crm.events_of(b'{"id":"a","name":"Acme"}', request).events
    assert (event.id, event.at) == (then.id, CAME)


def test_bytes_that_say_all_are_sent_as_they_came() -> None:
    raw = b'{"id": "a", "amount": 1.10, "updated_at" : "2026-01-02"}'
    found = sent(raw, path="/v1/crm/opportunities")
    assert isinstance(found, Again)
    assert (found.items, found.key, found.gpc) == ([raw], "dev", False)
    assert sent(raw, path="/v1/crm/opportunities", gpc=True).gpc  # type: ignore[union-attr]


def test_what_would_be_refused_again_is_not_sent() -> None:
    found = sent([PAGE, {"type": "nap", "userId": "u"}, 5])
    assert isinstance(found, Again)
    assert ([json.loads(item)["messageId"] for item in found.items], found.refused) == (
        ["m1"],
        {"type: unsupported": 1, "it cannot be decoded: malformed": 1},
    )
    found = sent({"id": "a", "domain": "soon", "updated_at": CAME}, path="/v1/crm/accounts")
    assert isinstance(found, Again)
    assert (found.items, found.refused) == ([], {"domain: bad value": 1})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"body": b"{"}, "it is not JSON"),
        ({"body": b"[" * 5000}, "it nests too deep"),
        ({"body": b"[]"}, "nothing is left of it"),
        ({"body": b"x" * BODY_KEPT}, "it was cut when it was kept"),
        ({"envelope": b"null"}, "its envelope was too large to be kept"),
        ({"path": "/webhooks/brevo/{name}"}, "a webhook: "),
        ({"path": "/t"}, "/t: only calls of"),
        ({"path": "/v1/crm/nothing"}, "/v1/crm/nothing: only"),
        ({"path": ""}, "nothing says where it was sent"),
        ({"address": "events/0/5/1"}, "it was refused after the log"),
        ({"source": ""}, "no source: see --key"),
        ({"source": "gone"}, "no source 'gone' is in touchline.toml"),
        ({"path": "/v1/b"}, "what the connection told of the browser"),
    ],
)
def test_what_cannot_be_sent_says_why(given: dict[str, Any], why: str) -> None:
    body, envelope = given.pop("body", b'{"type":"page","anonymousId":"v1"}'), given.pop("envelope", b"")
    found = again(letter(**given), body, envelope, path="", key="", sources=SOURCES, now=NOW)
    assert isinstance(found, str)
    assert found.startswith(why)


def test_letters_of_no_source_are_sent_with_the_key_and_of_earlier_versions_to_the_path() -> None:
    found = sent([PAGE], key="web", source="", path="", target="/v1/batch")
    assert isinstance(found, Again)
    assert (found.key, found.path) == ("web", "/v1/batch")
    assert sent([PAGE], key="web").key == "dev"  # type: ignore[union-attr]


def test_without_an_address_the_sender_counts() -> None:
    found = [(letter(), sent([PAGE, 5])), (letter(), sent([PAGE])), (letter(), sent(b"{"))]
    tally = Sender("", patience_s=0, waiting=print).take(found, lambda _: None)
    assert (tally.letters, tally.sent, tally.partly, tally.left, tally.items, tally.requests) == (3, 1, 1, 1, 2, 0)
    assert tally.reasons == {"it cannot be decoded: malformed": 1, "it is not JSON": 1}


def test_all_letters_have_to_be_meant() -> None:
    assert Wanted().is_any()
    done = CliRunner().invoke(cli, ["dead-letters", "resend"])
    assert (done.exit_code, "--all" in done.output) == (2, True)
