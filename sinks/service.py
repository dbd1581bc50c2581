"""The sink's process: event loop, signals, exit code."""

import asyncio
import signal

import structlog
import uvloop

from schemas.errors import TouchlineError
from sinks.runner import Sink
from stream.settings import Settings


def main(settings: Settings) -> None:
    """Run a sink until SIGTERM or SIGINT; it finishes the block in hand first.

    Raises: SystemExit with 1 if it cannot go on.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except TouchlineError as error:
        structlog.get_logger().error("sink: stopped", error=str(error))
        raise SystemExit(1) from None


async def _run(settings: Settings) -> None:
    sink = Sink(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sink.stop)
    await sink.run(_announce)


def _announce() -> None:
    print("ready sink", flush=True)  # noqa: T201
