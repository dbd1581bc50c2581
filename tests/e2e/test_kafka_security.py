"""Against Apache Kafka that asks for TLS, a password or a certificate: every process of ``up`` gets in, strangers do not."""

import json
import time

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from stream.settings import Settings
from stream.topology import create_topics
from tests.support.brokers import kafka_or_skip
from tests.support.kafka import ApacheKafka
from tests.support.machine import Machine

USER, PASSWORD = "touchline", "correct-horse-battery-staple"
JAAS = "org.apache.kafka.common.security"


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A broker with a listener for each way in, and the files that clients need."""
    folder = tmp_path_factory.mktemp("secured")
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    stranger.cert_pem.write_to_path(str(folder / "stranger.pem"))
    served = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in served.cert_chain_pems)
    (folder / "server.pem").write_bytes(as_java_reads(served.private_key_pem.bytes()) + chain)
    authority.issue_cert("client@touchline.example").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "us.pem")
    )
    extra = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "server.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.password.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.password.plain.sasl.jaas.config": (
            f'{JAAS}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "listener.name.password.scram-sha-512.sasl.jaas.config": f"{JAAS}.scram.ScramLoginModule required;",
        "listener.name.certificate.ssl.client.auth": "required",
    }
    broker = ApacheKafka(extra, listeners={"PASSWORD": "SASL_SSL", "CERTIFICATE": "SSL"}, scram={USER: PASSWORD})
    with kafka_or_skip():
        broker.start(folder / "kafka")
    yield broker, folder
    broker.stop()


def as_java_reads(key):
    """A private key in PKCS 8, the only form that Kafka's PEM files may have."""
    return load_pem_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def entrance(secured, way):
    """Settings that let in by ``way``."""
    broker, folder = secured
    if way == "certificate":
        port, mine = broker.ports["CERTIFICATE"], {"kafka_certificate": str(folder / "us.pem")}
    else:
        port, mine = broker.ports["PASSWORD"], {"kafka_user": USER, "kafka_password": PASSWORD, "kafka_mechanism": way}
    return {"kafka": f"127.0.0.1:{port}", "kafka_tls": "true", "kafka_ca": str(folder / "ca.pem"), **mine}


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "certificate"])
def test_an_event_goes_from_http_to_clickhouse_through_a_broker_that_lets_in_by(way, secured, tmp_path):
    machine = Machine(tmp_path / "data", topic_prefix=f"{way.lower()}.", **entrance(secured, way))
    machine.start()
    try:
        page = {
            "type": "page",
            "messageId": f"by-{way}",
            "anonymousId": "v1",
            "properties": {"url": "https://a.example/"},
        }
        machine.post("/v1/batch", json.dumps({"batch": [page]}).encode())
        deadline = time.monotonic() + 60
        while not (found := machine.rows("SELECT event_id FROM v_events")) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert found == [{"event_id": f"by-{way}"}]
    finally:
        machine.stop()
    logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
    assert PASSWORD not in logs


async def test_a_password_may_go_as_it_is_within_tls(secured):
    settings = Settings(topic_prefix="plain.", **(entrance(secured, "PLAIN") | {"kafka_tls": True}))
    assert "plain.events" in await create_topics(settings)
    assert await create_topics(settings) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kafka_password": "guessed"}, "SaslAuthenticationFailed"),
        ({"kafka_ca": "stranger.pem"}, "certificate"),
    ],
)
def test_whoever_is_not_let_in_is_told_why(wrong, said, secured, tmp_path):
    folder = secured[1]
    wrong = {name: str(folder / value) if name == "kafka_ca" else value for name, value in wrong.items()}
    machine = Machine(tmp_path / "data", **(entrance(secured, "SCRAM-SHA-512") | wrong))
    done = machine.touchline("setup", timeout=120)
    assert done.returncode != 0
    assert said in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
