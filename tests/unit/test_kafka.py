"""How we connect to Kafka: what the settings mean, and which of them are refused before anything is sent."""

import pytest

from schemas.errors import ConfigError
from stream.kafka import connection
from stream.settings import Settings
from stream.stages.transport import credentials

BROKER = "kafka.example:9093"


def test_without_credentials_the_connection_is_plain():
    assert connection(Settings()) == {"bootstrap_servers": "127.0.0.1:9092"}
    assert credentials(Settings()) is None


def test_a_user_within_tls():
    given = connection(Settings(kafka=BROKER, kafka_tls=True, kafka_user="us", kafka_password="secret"))
    assert given["ssl_context"].check_hostname
    del given["ssl_context"]
    assert given == {
        "bootstrap_servers": BROKER,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "us",
        "sasl_plain_password": "secret",
    }


def test_scram_needs_no_tls_since_the_password_is_never_sent():
    assert connection(Settings(kafka=BROKER, kafka_user="us"))["security_protocol"] == "SASL_PLAINTEXT"


def test_faust_gets_the_same():
    ours = credentials(Settings(kafka=BROKER, kafka_user="us", kafka_password="secret", kafka_tls=True))
    assert (ours.protocol.value, ours.mechanism.value, ours.username) == ("SASL_SSL", "SCRAM-SHA-512", "us")
    assert "secret" not in repr(ours)
    assert credentials(Settings(kafka=BROKER, kafka_tls=True)).protocol.value == "SSL"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka_tls": True}, "embedded broker"),
        ({"kafka_user": "us"}, "embedded broker"),
        ({"kafka": BROKER, "kafka_user": "us", "kafka_mechanism": "PLAIN"}, "in clear"),
        ({"kafka": BROKER, "kafka_mechanism": "GSSAPI"}, "none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ({"kafka": BROKER, "kafka_ca": "/ca.pem"}, "TOUCHLINE_KAFKA_TLS is not true"),
        ({"kafka": BROKER, "kafka_tls": True, "kafka_ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    ],
)
def test_what_contradicts_itself_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        connection(Settings(**given))
