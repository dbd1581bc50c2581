"""Broker fixtures: ``embedded_broker`` and ``apache_kafka`` for the session, ``bootstrap`` to run a test on each.

Apache Kafka is fetched through Maven. Without Java or Maven its tests are skipped with the reason; with CI set they fail.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.kafka import ApacheKafka, KafkaMissing


class EmbeddedBroker:
    """The embedded broker as a process of its own, with the same handles as ``ApacheKafka``."""

    def __init__(self, *, fsync: str = "1000", housekeeping_s: float = 15.0) -> None:
        self._options = ["--fsync", fsync, "--housekeeping", str(housekeeping_s)]
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self, data_dir: Path, port: int = 0) -> str:
        """Start, wait until it serves, return the bootstrap address. Port 0: a free one, the same one after a kill."""
        place = ["--data", str(data_dir), "--port", str(port or self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream.embedded.broker", *place, *self._options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready port="):
            self.kill()
            raise RuntimeError("the embedded broker did not start")
        self.port = int(line.removeprefix("ready port="))
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stop in good order."""
        if self.process is not None:
            self.process.terminate()
            self._reap()

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self._reap()

    def _reap(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.wait(30)
        self.process.stdout.close()
        self.process = None


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of an embedded broker."""
    broker = EmbeddedBroker(housekeeping_s=0.5)
    yield broker.start(tmp_path_factory.mktemp("embedded-broker"))
    broker.stop()


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of an Apache Kafka."""
    kafka = ApacheKafka()
    with kafka_or_skip():
        bootstrap = kafka.start(tmp_path_factory.mktemp("apache-kafka"))
    yield bootstrap
    kafka.stop()


@contextmanager
def kafka_or_skip() -> Iterator[None]:
    """Skip the test if Apache Kafka cannot be had; with CI set it fails."""
    try:
        yield
    except KafkaMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(f"Apache Kafka must be there in CI: {missing}")
        pytest.skip(f"no Apache Kafka: {missing}")


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Bootstrap address; the test runs once on each broker."""
    name = "embedded_broker" if request.param == "embedded" else "apache_kafka"
    address: str = request.getfixturevalue(name)
    return address
