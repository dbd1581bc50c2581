"""Apache Kafka for tests: one KRaft node from Maven artifacts, no container and no root needed.

kafka = ApacheKafka()
bootstrap = kafka.start(data_dir)      # formats the folder the first time
kafka.kill(); kafka.start(data_dir)    # kill -9 and come back on the same data
kafka.stop()
"""

import base64
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import time
import uuid
from pathlib import Path

VERSION = "4.3.1"
_HERE = Path(__file__).with_name("kafka")
_START_S = 90.0
_STOP_S = 30.0
_QUICK = "-XX:TieredStopAtLevel=1"
"""A broker that lives for minutes: its optimizing compiler would take a third of its CPU time and not earn it back."""

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
default.replication.factor=1
min.insync.replicas=1
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.backoff.ms=500
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=100
log.index.size.max.bytes=1048576
# a node that was killed may register again only when its old session has timed out (9 s by default)
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
{extra}
"""


class KafkaMissing(Exception):
    """Java or Maven is not there, or the artifacts cannot be fetched."""


class ApacheKafka:
    """One broker process on one data folder."""

    def __init__(
        self,
        extra: dict[str, str] | None = None,
        listeners: dict[str, str] | None = None,
        scram: dict[str, str] | None = None,
    ) -> None:
        """``extra`` properties, more ``listeners`` with their security protocols, users with SCRAM passwords."""
        self._extra = extra or {}
        self._listeners = listeners or {}
        self._scram = scram or {}
        self.ports: dict[str, int] = {}
        """Of the further listeners."""
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self, data_dir: Path, port: int = 0) -> str:
        """Start, wait until it answers, return the bootstrap address. Port 0: a free one, the same one after a kill.

        Raises: KafkaMissing; RuntimeError with the end of its log if it does not come up.
        """
        jars = fetch_jars()
        self.port = port or self.port or _free_port()
        data_dir.mkdir(parents=True, exist_ok=True)
        settings = self._write_settings(data_dir)
        logs = data_dir / "logs"
        if not (logs / "meta.properties").exists():
            self._format(jars, settings, logs)
        with (data_dir / "broker.log").open("ab") as out:
            self._process = subprocess.Popen(
                [*_java("-Xms128m", "-Xmx512m", "-Xss512k", _QUICK), "-cp", f"{jars}/*", "kafka.Kafka", str(settings)],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self._wait(data_dir / "broker.log")
        return f"127.0.0.1:{self.port}"

    def _write_settings(self, data_dir: Path) -> Path:
        settings = data_dir / "server.properties"
        if not settings.exists():  # the controller's address is part of the formatted data
            self.ports = {name: _free_port() for name in self._listeners}
            text = _PROPERTIES.format(
                port=self.port,
                controller=_free_port(),
                listeners="".join(f",{name}://127.0.0.1:{port}" for name, port in self.ports.items()),
                protocols="".join(f",{name}:{protocol}" for name, protocol in self._listeners.items()),
                logs=data_dir / "logs",
                extra="\n".join(f"{name}={value}" for name, value in self._extra.items()),
            )
            settings.write_text(text)
        return settings

    def _format(self, jars: Path, settings: Path, logs: Path) -> None:
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "-c", str(settings)]
        for user, password in self._scram.items():
            tool += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
        done = subprocess.run(
            [*_java("-Xmx128m", _QUICK), "-cp", f"{jars}/*", *tool],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"Apache Kafka cannot format its folder: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _wait(self, log: Path) -> None:
        assert self._process is not None
        end = time.monotonic() + _START_S
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"Apache Kafka does not answer; its log ends: {log.read_text()[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop in good order."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def fetch_jars() -> Path:
    """Folder of the broker's jars; fetched once per user. Raises: KafkaMissing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jars = cache / "touchline" / f"kafka-{VERSION}"
    if shutil.which("java") is None:
        raise KafkaMissing("java is not installed")
    if (jars / ".complete").exists():
        return jars
    if shutil.which("mvn") is None:
        raise KafkaMissing("mvn is not installed")
    jars.mkdir(parents=True, exist_ok=True)
    with (jars / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test runs at once
        if not (jars / ".complete").exists():
            _copy_dependencies(jars)
            (jars / ".complete").touch()  # last, so that half a download is never taken for a whole one
    return jars


def _copy_dependencies(jars: Path) -> None:
    command = ["mvn", "-B", "-ntp", "-q", "-f", str(_HERE / "pom.xml"), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise KafkaMissing(f"mvn cannot fetch Apache Kafka {VERSION}: {done.stdout[-1500:]}")


def _java(*options: str) -> list[str]:
    log4j = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.xml'}"
    return ["java", *options, "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=256m", "-Djava.awt.headless=true", log4j]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Whether ApiVersions v0 is answered without an error."""
    body = struct.pack(">hhih", 18, 0, 1, 5) + b"probe"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
            probe.sendall(struct.pack(">i", len(body)) + body)
            answer = probe.makefile("rb").read(10)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)
