"""``python -m stream.embedded.sql --data DIR``: the embedded SQL server as a process.

Prints ``ready port=N`` once it answers; SIGTERM or SIGINT stops it. Exit code 2 if the folder cannot be used.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import click
from aiohttp import web

from schemas.errors import ConfigError
from stream.embedded.fsync import sync_interval_s
from stream.embedded.sql.durability import Durability
from stream.embedded.sql.engine import Engine
from stream.embedded.sql.folder import fresh_spool, lock
from stream.embedded.sql.server import Server
from stream.embedded.sql.users import Users

_PATIENCE_S: Final = 1.5
_USAGE: Final = 2


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of this server's state.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option("--port", default=8123, show_default=True, help="Port; 0 takes a free one.")
@click.option("--password", envvar="TOUCHLINE_CLICKHOUSE_PASSWORD", default="", help="Of both users; empty is none.")
@click.option(
    "--fsync", default="1000", show_default=True, help="always, or ms without a write after which all is synced."
)
def main(data: Path, host: str, port: int, password: str, fsync: str) -> None:
    """Serve ClickHouse's HTTP interface over the folder DATA."""
    try:
        folder = data.resolve()
        held = lock(folder)
        durability = Durability(folder, sync_interval_s(fsync))
        engine = Engine(folder, sync_inserts=durability.each_insert)
        server = Server(engine, durability, fresh_spool(folder), Users(password), host=host)
        asyncio.run(_serve(server, durability, host, port))
        engine.close()
        durability.sync()
    except (ConfigError, OSError) as error:
        click.echo(f"embedded SQL server: {error}", err=True)
        sys.exit(_USAGE)
    held.close()
    # SURPRISE: not sys.exit: a thread that waits for a killed query, or the engine's own, must not delay the end.
    sys.stdout.flush()
    os._exit(0)


async def _serve(server: Server, durability: Durability, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    runner = server.runner()
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=512)
    await site.start()
    print(f"ready port={runner.addresses[0][1]}", flush=True)  # noqa: T201  # what starters wait for
    syncing = asyncio.create_task(durability.keep_synced(), name="sync")
    syncing.add_done_callback(lambda task: None if task.cancelled() or task.exception() is None else stopped.set())
    await stopped.wait()
    await site.stop()
    await server.idle(_PATIENCE_S)
    await runner.cleanup()
    if syncing.done():
        syncing.result()
    syncing.cancel()


if __name__ == "__main__":
    main()
