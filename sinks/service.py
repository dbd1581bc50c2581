"""The sink's process: event loop and signals."""

import asyncio
import signal

from sinks.runner import Sink
from stream.kafka import EventLoop
from stream.logs import configure_logs
from stream.settings import Settings


def main(settings: Settings) -> None:
    """Run a sink until SIGTERM or SIGINT; it finishes the block in hand first.

    Raises: TouchlineError if it cannot start, or the log and ClickHouse contradict each other.
    """
    configure_logs(settings)
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        runner.run(_run(settings))


async def _run(settings: Settings) -> None:
    sink = Sink(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sink.stop)
    await sink.run(_announce)


def _announce() -> None:
    print("ready sink", flush=True)  # noqa: T201
