"""The topics, their keys and their settings. ``touchline setup`` creates them; ``touchline topology`` prints them."""

from typing import Final

import msgspec

EVENTS: Final = "events"
ACCOUNTS: Final = "accounts"
STITCH_FACTS: Final = "stitch-facts"
ACCOUNT_FACTS: Final = "account-facts"
ALERTS: Final = "alerts"
DEAD_LETTERS: Final = "dead-letters"
STITCH_STATE: Final = "state.stitch"
ACCOUNT_STATE: Final = "state.account"
PUBLISHED_RULES: Final = "state.rules"
"""The rules that were last put on the log (partition 0 only), so that setup publishes changes and nothing else."""

SOURCE_HEADER: Final = "src"
"""Header of a derived record: where what is in it comes from (``schemas.address``)."""
PACKER_HEADER: Final = "by"
"""Header of an event frame whose events our own collector checked and put into the right partition. Frames without it
are foreign producers'; the stage checks them itself."""
PACKED: Final = b"collect"
KIND_HEADER: Final = "kind"
"""Header of a record on ``events`` or ``accounts``: one of the KINDS; absent means EVENT_FRAME on ``events``."""
EVENT_FRAME: Final = "events"
"""NDJSON of ``schemas.event.Event``."""
MESSAGE_FRAME: Final = "messages"
"""NDJSON of ``schemas.messages``: what stages tell each other (and themselves)."""
CONTROL_FRAME: Final = "control"
"""NDJSON of ``schemas.messages.Control``: ticks and rules, one record to every partition."""


class Topic(msgspec.Struct, frozen=True):
    """One topic: its name, what its key is, and the Kafka settings that we insist on."""

    name: str
    key: str
    config: dict[str, str]
    producer: str
    consumer: str


_LOG: Final = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "max.message.bytes": "8388608",
    # The log's time is the only clock of the stages: no producer may choose it.
    "message.timestamp.type": "LogAppendTime",
}
_DERIVED: Final = _LOG | {"retention.ms": "604800000"}
_STATE: Final = {
    "cleanup.policy": "compact",
    # A checkpoint that a crash cut short must not have had the records it replaces compacted away meanwhile.
    "min.compaction.lag.ms": "3600000",
    "max.message.bytes": "8388608",
}

TOPICS: Final = (
    Topic(EVENTS, "entry node of the events (partition by murmur2)", _LOG, "collect, stitch", "stitch"),
    Topic(ACCOUNTS, "account id (partition by murmur2)", _LOG, "stitch", "account"),
    Topic(STITCH_FACTS, "same partition as the input frame", _DERIVED, "stitch", "sink"),
    Topic(ACCOUNT_FACTS, "same partition as the input frame", _DERIVED, "account", "sink"),
    Topic(ALERTS, "account id", _LOG, "account", "notify"),
    Topic(DEAD_LETTERS, "none", _LOG, "collect, stitch, account", "sink"),
    Topic(STITCH_STATE, "state key", _STATE, "stitch", "stitch (recovery)"),
    Topic(ACCOUNT_STATE, "state key", _STATE, "account", "account (recovery)"),
    Topic(PUBLISHED_RULES, "rules", _STATE, "setup", "setup"),
)
