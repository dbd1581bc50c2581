"""Hostile input over HTTP and on the topic itself: no process ends, no partition blocks, no neighbour is lost."""

import asyncio
import base64
import gzip
import json
import random
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import schemathesis
from aiokafka import AIOKafkaProducer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from schemas.event import COLUMNS
from schemas.ids import partition_of
from tests.e2e.hostility import DAMAGES, GIANTS, NASTY_TEXT, OBJECTS, PATHS, VALUES, damaged, wrapped
from tests.support import webhooks
from tests.support.machine import Machine
from tests.support.webhooks import SENDERS

PARTITIONS = 4
ANSWERS = {200, 400, 401, 404, 405, 411, 413, 415}
BOUNDED = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
KEY = base64.b64encode(b"dev:").decode()


class Rig:
    """A machine under attack, and the good events that were sent in between."""

    def __init__(self, folder: Path) -> None:
        config = folder / "touchline.toml"
        config.write_text(webhooks.config_text())
        (folder / webhooks.CERTIFICATE_NAME).write_bytes(webhooks.certificate())
        self.machine = Machine(
            folder / "data", config=str(config), partitions=str(PARTITIONS), sns_certificates=str(folder)
        )
        self.machine.start()
        self.log = folder / "data-up.log"
        self.pids = self.machine.processes()
        self.good: list[str] = []

    def send(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        """The status of the answer."""
        given = {"Authorization": f"Basic {KEY}", "Content-Type": "application/json"} | (headers or {})
        request = urllib.request.Request(self.machine.url + path, body or None, given)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def mark(self) -> dict[str, str]:
        """A good call of its own visitor, to be put beside bad ones."""
        name = f"good-{len(self.good)}"
        self.good.append(name)
        return {"type": "track", "event": "Marked", "messageId": name, "anonymousId": name}

    def assert_unharmed(self) -> None:
        """Everything good is there once, everything bad a dead letter, and nobody was restarted."""
        verified = self.machine.touchline("verify", "--wait", "90")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        found = Counter(
            row["event_id"] for row in self.machine.rows("SELECT event_id FROM v_events WHERE name = 'Marked'")
        )
        assert found == Counter(self.good)
        assert self.machine.processes() == self.pids
        assert "ended" not in self.log.read_text()
        reasons = self.machine.rows("SELECT reason, detail, address, bytes FROM v_dead_letters WHERE reason = 'bug'")
        assert reasons[:3] == []


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("hostile"))
    yield rig
    rig.machine.stop()


def test_no_body_costs_its_neighbours_anything(rig):
    @settings(BOUNDED, max_examples=400)
    @given(
        st.sampled_from(PATHS),
        st.lists(OBJECTS | VALUES, min_size=1, max_size=4),
        st.sampled_from(DAMAGES),
        st.integers(0, 5_000),
    )
    def attack(path, objects, damage, place):
        if path == "/v1/batch" and not damage:
            objects = [objects[0], rig.mark(), *objects[1:]]
        body = json.dumps(wrapped(path, objects)).encode("utf-8", "surrogatepass")
        body, headers = damaged(body, damage, place)
        assert rig.send(path, body, headers) in ANSWERS

    attack()
    rig.assert_unharmed()


def test_nothing_that_a_provider_signed_costs_anything(rig):
    answers = Counter()

    @settings(BOUNDED, max_examples=300)
    @given(st.sampled_from(list(SENDERS)), st.dictionaries(NASTY_TEXT, VALUES, max_size=2), VALUES, st.data())
    def attack(name, more, value, data):
        click = SENDERS[name].click
        field = data.draw(st.sampled_from([*click, ""]))
        payload = click | more | {field: value} if field else value
        signed = SENDERS[name].sign(payload, int(time.time()))
        answers[rig.send(f"{SENDERS[name].path}?{signed.query}", signed.body, signed.headers)] += 1

    attack()
    # What Mailgun and Amazon sign is in the body, so one that cannot be read is not genuine.
    assert answers.keys() <= {200, 401}
    assert answers[200] > 200
    rig.assert_unharmed()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/batch",
        "/t",
        "/v1/crm/opportunities",
        "/com.snowplowanalytics.snowplow/tp2",
        *(sender.path for sender in SENDERS.values()),
    ],
)
def test_giants_and_monsters_are_answered_and_change_nothing(rig, path):
    for body in GIANTS:
        try:
            assert rig.send(path, body) in ANSWERS
        except urllib.error.URLError:
            assert len(body) > 4 << 20, "only a body beyond the limit may be cut off"
        bomb = gzip.compress(body * 20)
        assert rig.send(path, bomb, {"Content-Encoding": "gzip"}) in ANSWERS
        rig.machine.post("/v1/track", json.dumps(rig.mark()).encode())


def test_broken_http_is_closed_and_others_are_served(rig):
    for sent in (
        b"\x00" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/batch HTTP/1.1\r\nContent-Length: 50\r\n\r\n{",
        b"\x16\x03\x01",
    ):
        with socket.create_connection(("127.0.0.1", rig.machine.http), timeout=10) as connection:
            connection.sendall(sent)
    rig.machine.post("/v1/track", json.dumps(rig.mark()).encode())


@pytest.mark.parametrize(
    "query", ["e=pv&aid=dev&duid=%00%FF", "key=dev&visitor=%ED%A0%80&url=" + "a" * 5_000, "&&&===", "%"]
)
def test_hostile_queries_are_answered_with_the_pixel(rig, query):
    for path in ("/i", "/px.gif"):
        with urllib.request.urlopen(f"{rig.machine.url}{path}?{query}", timeout=10) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, "image/gif")


def test_the_interface_is_as_its_own_description_says(rig):
    schema = schemathesis.openapi.from_url(f"{rig.machine.url}/openapi.json")

    for found in schema.get_all_operations():

        @BOUNDED
        @given(found.ok().as_strategy())
        def conforms(case):
            response = case.call(headers={"Authorization": f"Basic {KEY}"})
            assert response.status_code < 500 or response.status_code == 503
            case.validate_response(
                response,
                checks=[status_code_conformance, content_type_conformance, response_schema_conformance],
            )

        conforms()


# -- on the topic itself ----------------------------------------------------------------------------------------------


def foreign(**fields: object) -> dict[str, object]:
    now = int(time.time() * 1000)
    return {
        "event_id": "f",
        "node": "default/v:foe",
        "visitor_id": "foe",
        "type": "page",
        "occurred_at": now,
        "received_at": now,
    } | {COLUMNS.get(name, name): value for name, value in fields.items()}


def strangers(rig: Rig) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    """Records (key, value, headers) that nobody should put on ``events``."""
    bad = [
        foreign(at=2**62), foreign(at=-5), foreign(at=10**400), foreign(received_at=-1), foreign(received_at=2**62),
        foreign(engaged_ms=2**64), foreign(node="x"), foreign(node="default/z:1"), foreign(node=""), foreign(node="default/v:"),
        foreign(node="default/v:a\x00b", visitor="a\x00b"), foreign(visitor="friend"), foreign(tenant="other"), foreign(id=""),
        foreign(type="nonsense"), foreign(properties=[1]), foreign(properties="x"), foreign(id=5), {}, [], "x", 5, None,
        foreign(type="crm.opportunity", node="default/o:1", properties={"amount": 1e300, "stage": "won", "closed_at": 10**40}),
        foreign(type="crm.account", node="default/a:1", visitor="", properties={"domains": [None, {}], "parent_id": "\x00"}),
        foreign(type="cost", node="default/o:cost/1", visitor="", properties={"amount": "NaN", "day": 5}),
        foreign(url="http://" + "x" * 100_000), foreign(properties={"x": "y" * 3_000_000}),
    ]  # fmt: skip
    values = [json.dumps(item).encode() for item in bad]
    values += [
        b"",
        b"not json",
        b"\xff\xfe",
        b"\x00" * 1_000,
        b"{" * 100_000,
        b"[" * 3_000_000,
        b"x" * 3_000_000,
        b"{}\n" * 1_000_000,
    ]
    values += [
        values[0][:-1] + b',"title":"\\ud800"}',
        values[0][:-1] + b',"properties":' + b"[" * 900 + b"]" * 900 + b"}",
    ]
    message = b'{"m":"C","to":"default/v:foe","id":"1","parent":"default/u:foe","precedence":9}'
    headers: list[list[tuple[str, bytes]]] = [
        [], [("kind", b"messages")], [("kind", b"control")], [("kind", b"\xff")], [("src", b"x")], [("src", b"events/0/x/0")],
    ]  # fmt: skip
    records: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]] = [
        (b"default/v:foe", value, chosen) for value in values for chosen in headers[: 6 if len(value) < 10_000 else 1]
    ]
    records += [(None, message, chosen) for chosen in headers] + [(b"k", None, [])]
    return records


async def produce(rig: Rig, records: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=rig.machine.bootstrap, max_request_size=8 << 20)
    await producer.start()
    try:
        for number, (key, value, headers) in enumerate(records):
            await producer.send_and_wait("events", value, key, partition=number % PARTITIONS, headers=headers)
            if number % 10 == 0:
                name = f"good-{len(rig.good)}"
                rig.good.append(name)
                good = foreign(id=name, node=f"default/v:{name}", visitor=name, type="track", name="Marked")
                at = partition_of(f"default/v:{name}", PARTITIONS)
                await producer.send_and_wait("events", msgspec.json.encode(good), name.encode(), partition=at)
    finally:
        await producer.stop()


def test_no_record_of_a_foreign_producer_blocks_a_partition(rig):
    records = strangers(rig)
    random.Random(5).shuffle(records)
    asyncio.run(produce(rig, records))
    rig.assert_unharmed()
    letters = rig.machine.rows("SELECT count() AS n FROM v_dead_letters WHERE address != ''")[0]["n"]
    assert int(letters) >= len(records) // 2
