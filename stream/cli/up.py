"""``touchline up``: everything on this machine, until Ctrl-C."""

import asyncio
import signal

import click

from stream.cli.one_machine import OneMachine
from stream.cli.options import settings_options
from stream.settings import Settings


@click.command(
    epilog="\b\nExamples:\n"
    "  touchline up                                 data in ./touchline-data\n"
    "  touchline up --data /srv/touchline --http-port 80\n"
    "  touchline up --kafka broker:9092 --clickhouse http://clickhouse:8123   no stand-ins"
)
@settings_options("data", "config", "host", "http_port", "sql_port", "broker_port", "kafka", "clickhouse", "partitions")
def command(settings: Settings) -> None:
    """Run broker, SQL server, collector, worker and sink on this machine; they restart if they end.

    Ready when GET /readyz on the HTTP port answers 200. Started again on the same --data it goes on where it was.
    """
    asyncio.run(_up(settings))


async def _up(settings: Settings) -> None:
    from stream.cli.setup import prepare  # noqa: PLC0415 - Kafka and ClickHouse clients

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    machine = OneMachine(settings, _warn)
    start = asyncio.create_task(machine.start(prepare))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({start, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            start.result()
            _announce(settings)
            await stopped
    finally:
        stopped.cancel()
        start.cancel()
        await machine.stop()


def _announce(settings: Settings) -> None:
    for name, address in (
        ("events", f"http://{settings.host}:{settings.http_port}"),
        ("SQL", settings.clickhouse_url),
        ("Kafka", settings.bootstrap),
    ):
        click.echo(f"{click.style(f'{name:>7}', fg='cyan')}  {address}")
    click.echo(f"{click.style('  ready', fg='green', bold=True)}  data and logs in {settings.data}; stop with Ctrl-C")


def _warn(text: str) -> None:
    click.secho(text, fg="yellow", err=True)
