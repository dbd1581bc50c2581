"""What processes log: where, how much, in which form, and what never."""

import msgspec
import pytest
import structlog

from schemas.errors import ConfigError
from stream.logs import configure_logs
from stream.settings import Settings


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.reset_defaults()


def fail_on(address: str) -> None:
    raise RuntimeError("our code failed")


def test_json_is_one_object_a_line_on_standard_error(capsys):
    configure_logs(Settings(log_format="json"))
    structlog.get_logger().info("partition opened", partition=3)

    out, err = capsys.readouterr()
    found = msgspec.json.decode(err)
    assert out == ""
    assert (found["event"], found["partition"], found["level"]) == ("partition opened", 3, "info")
    assert found["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written(capsys):
    configure_logs(Settings(log_level="warning"))
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert "loud" in (err := capsys.readouterr().err)
    assert "quiet" not in err


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_where_but_no_values(capsys, log_format):
    configure_logs(Settings(log_format=log_format))
    try:
        fail_on("ann@" + "acme.example")
    except RuntimeError as error:
        structlog.get_logger().error("worker stops", exc_info=error)

    err = capsys.readouterr().err
    assert "our code failed" in err
    assert "fail_on" in err
    assert "ann@acme.example" not in err


@pytest.mark.parametrize("wrong", [{"log_level": "chatty"}, {"log_format": "xml"}])
def test_a_level_or_format_that_does_not_exist_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong.values()))):
        configure_logs(Settings(**wrong))
