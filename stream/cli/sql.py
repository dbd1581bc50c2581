"""``touchline sql``: statements to ClickHouse's HTTP interface, answers as it formats them."""

import http.client
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Final

import click

from schemas.errors import ConfigError, Retryable, TouchlineError
from stream.cli.options import settings_options
from stream.embedded.sql.statements import split_insert, tokens
from stream.settings import Settings

_TIMEOUT_S: Final = 300.0
_WORDS_OF_LEAVING: Final = ("exit", "quit", "\\q")


@click.command(
    epilog="""\b
Examples:
  touchline sql "SELECT channel, sum(amount) FROM v_ledger GROUP BY channel"
  touchline sql --format CSVWithNames "SELECT * FROM v_accounts" > accounts.csv
  touchline sql --param name=acme.com "SELECT * FROM v_touches WHERE account_id = {name:String}"
  touchline sql < report.sql
"""
)
@click.argument("query", required=False)
@settings_options("clickhouse", "clickhouse_user", "database", "host", "sql_port")
@click.option("--file", "source", type=click.File("r", encoding="utf-8"), help="Read statements from a file.")
@click.option("--format", "output", default="PrettyCompact", show_default=True, help="Any of ClickHouse's formats.")
@click.option(
    "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Value of {NAME:Type}; may be repeated."
)
def command(
    settings: Settings, query: str | None, source: click.utils.LazyFile | None, output: str, parameters: tuple[str, ...]
) -> None:
    """Ask ClickHouse, or the embedded SQL server.

    QUERY is one or more statements; without it they come from a file, from standard input, or from a prompt.
    """
    server = Server(settings, output, dict(_parameter(text) for text in parameters))
    if query is None and source is None and sys.stdin.isatty():
        _converse(server)
        return
    text = query if query is not None else (source or sys.stdin).read()
    for statement in statements(text):
        server.ask(statement)


def statements(text: str) -> Iterator[str]:
    """The statements of a text, cut at semicolons outside strings and comments; rows of an insert stay with it. Pure."""
    rest = text.encode("utf-8", "surrogateescape")
    while rest.strip():
        if split_insert(rest) is not None:
            yield rest.decode("utf-8", "surrogateescape")
            return
        end = next((token.end for token in tokens(rest) if token.text == ";"), len(rest) + 1)
        statement, rest = rest[: end - 1], rest[end:]
        if any(True for _ in tokens(statement)):
            yield statement.decode("utf-8", "surrogateescape").strip()


class Server:
    """Where statements go and how answers are to look."""

    def __init__(self, settings: Settings, output: str, parameters: dict[str, str]) -> None:
        self._settings = settings
        given = {"database": settings.database, "default_format": output} | parameters
        if output.startswith("Pretty"):
            given["output_format_pretty_color"] = "1" if sys.stdout.isatty() else "0"
        self._url = f"{settings.clickhouse_url}/?{urllib.parse.urlencode(given)}"

    def ask(self, statement: str) -> None:
        """Send one statement and copy the answer to standard output.

        Raises: TouchlineError with the server's own words; Retryable if it is not reachable.
        """
        try:
            with urllib.request.urlopen(self._request(statement), timeout=_TIMEOUT_S) as response:  # noqa: S310
                while piece := response.read(1 << 20):
                    sys.stdout.buffer.write(piece)
                sys.stdout.flush()
        except urllib.error.HTTPError as error:
            with error:
                raise TouchlineError(error.read().decode("utf-8", "replace")) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            reason = getattr(error, "reason", error)
            raise Retryable(
                f"no answer from ClickHouse at {self._settings.clickhouse_url} ({reason}); is `touchline up` running?"
            ) from None

    def _request(self, statement: str) -> urllib.request.Request:
        if not self._url.startswith(("http://", "https://")):
            raise ConfigError(
                f"TOUCHLINE_CLICKHOUSE has to be http(s)://host:port, not {self._settings.clickhouse_url}"
            )
        credentials = {
            "X-ClickHouse-User": self._settings.clickhouse_user,
            "X-ClickHouse-Key": self._settings.clickhouse_password,
        }
        body = statement.encode("utf-8", "surrogateescape")
        return urllib.request.Request(self._url, body, credentials, method="POST")  # noqa: S310


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--param")
    escaped = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return f"param_{name}", escaped


def _converse(server: Server) -> None:
    """Prompt until the end of input. A statement ends with a semicolon; an error does not end the conversation."""
    import readline  # noqa: F401, PLC0415  # gives input() its line editing and history

    click.echo("Statements end with ; and `exit` leaves.")
    held = ""
    while True:
        try:
            line = input("     ...> " if held else "touchline> ")
        except EOFError:
            click.echo()
            return
        if not held and line.strip().rstrip(";").lower() in _WORDS_OF_LEAVING:
            return
        held += line + "\n"
        if held.rstrip().endswith(";"):
            _try(server, held)
            held = ""


def _try(server: Server, text: str) -> None:
    try:
        for statement in statements(text):
            server.ask(statement)
    except TouchlineError as error:
        click.echo(click.style(" ".join(str(error).split()), fg="red"), err=True)
