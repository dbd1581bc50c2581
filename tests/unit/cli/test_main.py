"""The command line's frame: help, exit codes, flags made from settings."""

import subprocess
import sys

import click
import msgspec
import pytest
from click.testing import CliRunner

from schemas.errors import ConfigError, Retryable
from stream.cli.main import COMMANDS, cli, run
from stream.cli.options import settings_options
from stream.settings import Settings


def test_every_named_command_that_exists_can_be_called() -> None:
    listed = cli.list_commands(click.Context(cli))

    assert [name for name in COMMANDS if name in listed] == listed
    for name in listed:
        result = CliRunner().invoke(cli, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert "Usage: " in result.output


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys; from stream.cli.main import run; run(['--help']); "
        "print([m for m in sys.modules if m.startswith(('stream.cli.s', 'rich', 'aiohttp', 'faust', 'chdb', 'click_'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert "settings" in done.stdout


def test_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("touchline 0.")


def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["no-such-command"]) == 2
    assert run(["settings", "--no-such-flag"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_a_wrong_setting_is_2_and_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_HTTP_PORT", "many")

    assert run(["settings"]) == 2
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == 1
    assert "http_port" in shown


@pytest.mark.parametrize(("error", "code"), [(ConfigError("wrong\n  file"), 2), (Retryable("no broker"), 1)])
def test_expected_errors_are_one_line(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(type(cli), "get_command", lambda *_: failing)

    assert run(["settings"]) == code
    assert capsys.readouterr().err == f"touchline: {' '.join(str(error).split())}\n"


def test_verify_without_a_broker_says_what_to_do_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_KAFKA", "127.0.0.1:1")

    assert run(["verify"]) == 1
    shown = capsys.readouterr().err.splitlines()
    assert [line for line in shown if line.startswith("touchline: ")] == shown[-1:]
    assert "127.0.0.1:1" in shown[-1]
    assert "touchline up" in shown[-1]
    assert not any("Traceback" in line or "Unclosed" in line for line in shown)


def test_flags_beat_the_environment_which_beats_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_HTTP_PORT", "1")
    monkeypatch.setenv("TOUCHLINE_SQL_PORT", "2")
    seen: list[Settings] = []

    @click.command()
    @settings_options("data", "http_port", "sql_port", "trust_forwarded", "sink_s")
    def command(settings: Settings) -> None:
        seen.append(settings)

    done = CliRunner().invoke(command, ["--http-port", "3", "--trust-forwarded", "--sink-s", "0.5"])

    assert done.exit_code == 0, done.output
    assert seen == [Settings(http_port=3, sql_port=2, trust_forwarded=True, sink_s=0.5)]


def test_what_looks_at_an_installation_takes_the_flags_that_it_was_started_with() -> None:
    """Who writes ``up --data D --http-port N`` writes the same after ``doctor`` and ``verify``."""
    context = click.Context(cli)
    started = cli.get_command(context, "up")
    assert started is not None
    for name in ("doctor", "verify"):
        command = cli.get_command(context, name)
        assert command is not None
        assert {p.name for p in started.params} <= {p.name for p in command.params}


def test_a_flag_of_the_wrong_type_is_wrong_usage() -> None:
    @click.command()
    @settings_options("http_port")
    def command(settings: Settings) -> None: ...

    assert CliRunner().invoke(command, ["--http-port", "many"]).exit_code == 2


def test_every_setting_but_the_secrets_can_be_a_flag() -> None:
    names = [field.name for field in msgspec.structs.fields(Settings)]
    settings_options(*(name for name in names if "password" not in name))
    for wrong in ("clickhouse_password", "no_such_setting"):
        with pytest.raises(ValueError, match=wrong):
            settings_options(wrong)
