import pytest

from schemas.errors import ConfigError
from schemas.topics import TOPICS
from stream.embedded.broker import configs
from stream.embedded.fsync import sync_interval_s


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_settings_of_every_topic_of_ours_are_understood(topic: object) -> None:
    assert configs.mistakes(topic.config) is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retention.ms", "-2"),
        ("retention.ms", "1e3"),
        ("retention.ms", None),
        ("segment.bytes", "1"),
        ("max.message.bytes", "99999999999999999999"),
        ("min.cleanable.dirty.ratio", "1.5"),
        ("compression.type", "zstd"),
        ("cleanup.policy", "delete,"),
        ("nonsense", "1"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str | None) -> None:
    assert (configs.mistake(name, value) or "").startswith(name)


def test_a_list_grows_and_shrinks_item_by_item() -> None:
    both = configs.changed({"cleanup.policy": "delete"}, "cleanup.policy", 2, "compact")
    assert both == {"cleanup.policy": "delete,compact"}
    assert configs.changed({"cleanup.policy": "delete,compact"}, "cleanup.policy", 3, "delete") == {
        "cleanup.policy": "compact"
    }


@pytest.mark.parametrize("fsync", ["", "0", "-5", "never", "1.5"])
def test_a_wrong_fsync_policy_is_refused(fsync: str) -> None:
    with pytest.raises(ConfigError, match="fsync"):
        sync_interval_s(fsync)
