"""Run a collector until it is told to stop: uvloop, signals, the line ``ready port=N`` for whoever started it."""

import asyncio
import gc
import signal
import sys

from stream.collect.app import Collector
from stream.kafka import EventLoop
from stream.logs import configure_logs
from stream.settings import Config, Settings


def serve(settings: Settings, config: Config) -> None:
    """Blocks until SIGINT or SIGTERM; what was acknowledged is on the log by then."""
    configure_logs(settings)
    # Everything that start-up made stays for ever; requests make no cycles worth a look at every 700 objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        runner.run(_serve(settings, config))


async def _serve(settings: Settings, config: Config) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    collector = Collector(settings, config)
    port = await collector.start()
    sys.stdout.write(f"ready port={port}\n")
    sys.stdout.flush()
    try:
        await stopping.wait()
    finally:
        await collector.stop()
