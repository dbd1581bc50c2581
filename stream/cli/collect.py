"""``touchline collect``: take events over HTTP and put them on the log."""

from pathlib import Path

import click

from stream.cli.options import settings_options
from stream.settings import Settings, read_config


@click.command(epilog="\b\nExamples:\n  touchline collect\n  touchline collect --http-port 8081 --kafka kafka:9092")
@settings_options("host", "http_port", "kafka", "broker_port", "config", "partitions")
def command(settings: Settings) -> None:
    """Take events over HTTP: Segment, RudderStack, Snowplow, t.js, CRM, cost, webhooks.

    Prints `ready port=N` when it listens; GET /readyz says whether the broker is there. Stops on SIGINT or SIGTERM.
    """
    from stream.collect.serve import serve  # noqa: PLC0415  # --help answers without loading the server

    serve(settings, read_config(Path(settings.config)))
