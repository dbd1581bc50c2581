"""Settings: how this installation runs (never what a number means; that is ``schemas.rules``).

One frozen ``Settings``; each field is a row: name, default, unit and help. It feeds the code, ``touchline settings``
and ``docs/settings.md``. Every field has the environment variable ``TOUCHLINE_<NAME>``; sources, webhooks and rules
come from the file ``touchline.toml``.

    >>> Settings.from_env({"TOUCHLINE_HTTP_PORT": "9000"}).http_port
    9000
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from schemas.errors import ConfigError
from schemas.rules import Rules


def _help(text: str, unit: str = "", *, secret: bool = False) -> Meta:
    return Meta(description=text, extra={"unit": unit, "secret": secret})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. Addresses are ``host:port``."""

    data: Annotated[str, _help("folder of this machine's state: broker log, SQL data, stage state")] = "touchline-data"
    config: Annotated[str, _help("file with sources, webhooks and rules; missing is fine")] = "touchline.toml"
    host: Annotated[str, _help("address that servers bind to; loopback unless you say otherwise")] = "127.0.0.1"
    http_port: Annotated[int, _help("collector and console", "port")] = 8080
    sql_port: Annotated[int, _help("embedded SQL server (ClickHouse's HTTP interface)", "port")] = 8123
    broker_port: Annotated[int, _help("embedded broker (Kafka's protocol)", "port")] = 9092
    kafka: Annotated[str, _help("bootstrap servers of Apache Kafka; empty: the embedded broker", "host:port,...")] = ""
    kafka_tls: Annotated[bool, _help("encrypt the connections to Apache Kafka and check its certificate")] = False
    kafka_ca: Annotated[
        str, _help("PEM file with the authorities that Kafka's certificate is of; empty: the system's")
    ] = ""
    kafka_certificate: Annotated[str, _help("PEM file with our certificate, if Kafka asks for one")] = ""
    kafka_key: Annotated[str, _help("PEM file with its private key; empty: it is in the same file")] = ""
    kafka_user: Annotated[str, _help("SASL user or API key of Apache Kafka; empty: none")] = ""
    kafka_password: Annotated[str, _help("SASL password or API secret", secret=True)] = ""
    kafka_mechanism: Annotated[str, _help("how the password is shown", "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512")] = (
        "SCRAM-SHA-512"
    )
    clickhouse: Annotated[str, _help("URL of ClickHouse; empty: the embedded SQL server", "http(s)://host:port")] = ""
    clickhouse_user: Annotated[str, _help("ClickHouse user")] = "default"
    clickhouse_password: Annotated[str, _help("ClickHouse password", secret=True)] = ""
    database: Annotated[str, _help("ClickHouse database")] = "touchline"
    topic_prefix: Annotated[str, _help("put before every topic and consumer group name")] = ""
    partitions: Annotated[int, _help("of every topic; cannot change once events are in")] = 4
    replication: Annotated[int, _help("replication factor of the topics that setup creates")] = 1
    worker_id: Annotated[str, _help("names this worker's state folder and group instance")] = "0"
    stages: Annotated[str, _help("stages that this worker runs", "stitch,account")] = "stitch,account"
    frame_events: Annotated[int, _help("most events in a frame", "events")] = 2000
    frame_ms: Annotated[
        int,
        _help(
            "longest wait of an event for its frame to fill, 250 more where many come; below 10 throughput collapses",
            "ms",
        ),
    ] = 20
    buffer_bytes: Annotated[
        int, _help("events waiting for the broker; beyond it the collector answers 503", "bytes")
    ] = 64 << 20
    max_body_bytes: Annotated[int, _help("largest request body, after decompression", "bytes")] = 4 << 20
    max_event_bytes: Annotated[int, _help("largest single event", "bytes")] = 32 << 10
    max_batch_events: Annotated[int, _help("events taken from one batch; the rest is dead-lettered", "events")] = 2500
    trust_forwarded: Annotated[bool, _help("take the visitor's address from X-Forwarded-For (behind a proxy only)")] = (
        False
    )
    geo_file: Annotated[str, _help("mmdb file with city or country; empty: no geo")] = ""
    company_file: Annotated[str, _help("mmdb file with company domains by network; empty: none")] = ""
    sns_certificates: Annotated[
        str, _help("folder with signing certificates of Amazon SNS, looked at before they are fetched; empty: none")
    ] = ""
    checkpoint_s: Annotated[float, _help("between checkpoints of stage state to its compacted topic", "s")] = 5.0
    tick_s: Annotated[float, _help("between ticks on the log", "s")] = 60.0
    sink_rows: Annotated[int, _help("rows of a range before it is written", "rows")] = 50_000
    sink_s: Annotated[float, _help("between two blocks of rows, unless one is full", "s")] = 0.5
    fsync: Annotated[str, _help("embedded broker and SQL server: always, or ms between syncs", "always|ms")] = "1000"
    log_format: Annotated[str, _help("console or json")] = "console"
    log_level: Annotated[str, _help("debug, info, warning, error")] = "info"

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **overrides: Any) -> "Settings":
        """Settings from ``TOUCHLINE_*``, with ``overrides`` (flags; None is "not given") on top. Pure.

        Raises: ConfigError naming the variable.
        """
        given: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            text = environ.get(variable(field.name))
            if text is not None:
                given[field.name] = text
        given |= {name: v for name, v in overrides.items() if v is not None}
        try:
            return msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"a TOUCHLINE_* setting has a wrong value: {error}; see `touchline settings`") from None

    @property
    def bootstrap(self) -> str:
        """Where Kafka's protocol is spoken."""
        return self.kafka or f"{self.host}:{self.broker_port}"

    @property
    def clickhouse_url(self) -> str:
        """Where ClickHouse's HTTP interface is."""
        return self.clickhouse or f"http://{self.host}:{self.sql_port}"

    def topic(self, name: str) -> str:
        """Full name of one of ``schemas.topics`` or of a consumer group."""
        return self.topic_prefix + name


def variable(field_name: str) -> str:
    """Environment variable of a setting."""
    return "TOUCHLINE_" + field_name.upper()


class SettingRow(msgspec.Struct, frozen=True):
    """One row of ``touchline settings``. The value of a secret is never shown."""

    name: str
    variable: str
    default: str
    unit: str
    help: str
    value: str


def rows(settings: Settings) -> Iterator[SettingRow]:
    """Every setting with its default and its present value."""
    for field in msgspec.structs.fields(Settings):
        meta: Meta = field.type.__metadata__[0]
        extra = meta.extra or {}
        value = str(getattr(settings, field.name))
        shown = "***" if extra["secret"] and value else value
        yield SettingRow(
            field.name, variable(field.name), str(field.default), extra["unit"], meta.description or "", shown
        )


ANALYTICS_CONSENT = ("analytics", "C0002")
"""C0002 is OneTrust's for performance cookies, which are what others call analytics."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who may send events: a website, an app, a backend. ``key`` is the write key and Snowplow app id."""

    name: str
    key: str
    tenant: str = "default"
    origins: tuple[str, ...] = ("*",)
    """Browser origins that may send with it."""
    mail_secret: str = ""
    """Signs its emails' opens, links and addresses for unsubscribing (docs/email.md); empty: unsigned opens are taken, and
    the others do not exist."""
    analytics_consent: tuple[str, ...] = ANALYTICS_CONSENT
    """Consent categories that stand for analytics, as its consent manager calls them; small and capital letters are one."""


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One email provider or CRM webhook: POST /webhooks/{provider}/{name}. docs/email.md has what each provider needs."""

    provider: str
    name: str
    secret: str = ""
    """The provider's public key or shared secret, in the form its console shows; Amazon SES has none."""
    tenant: str = "default"
    header: str = ""
    """Postmark, Brevo: the header that carries the secret; empty: Basic authorization with ``user:password``."""
    url: str = ""
    """Mandrill, HubSpot: the public address of this webhook exactly as the provider has it, since they sign it."""
    topics: tuple[str, ...] = ()
    """Amazon SES: ARNs of the SNS topics that are ours."""
    window_s: int = 0
    """Oldest signature that still counts, in s; 0: the provider's default."""
    currency: str = ""
    """HubSpot: currency of amounts, for accounts with only one."""
    stages: dict[str, str] = {}
    """HubSpot: ids of own deal stages -> what they are called here (``won``, ``lost``, ...)."""


class Operator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who may say what belongs to what (``/v1/identity``). ``name`` stands in the audit, ``key`` never."""

    name: str
    key: str
    tenant: str = "default"


SHORTEST_OPERATOR_KEY = 20
"""Characters: such a key moves revenue, so it must not be guessable."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``touchline.toml`` says."""

    sources: tuple[Source, ...] = (Source("website", "dev"),)
    webhooks: tuple[Webhook, ...] = ()
    operators: tuple[Operator, ...] = ()
    """None: nobody may change or ask for identity over HTTP."""
    rules: Rules = Rules()

    def __post_init__(self) -> None:
        """Raises: ValueError if an operator's key is short, or one that websites give to everybody."""
        public = {source.key for source in self.sources}
        for operator in self.operators:
            if len(operator.key) < SHORTEST_OPERATOR_KEY:
                raise ValueError(f"operators: the key of {operator.name!r} needs {SHORTEST_OPERATOR_KEY} characters")
            if operator.key in public:
                raise ValueError(f"operators: the key of {operator.name!r} is a write key; everybody can read those")


def read_config(path: Path) -> Config:
    """The configuration file; all defaults if there is none.

    Raises: ConfigError with the file, the place and what is wrong there.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Config)
    except FileNotFoundError:
        return Config()
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
