"""``touchline worker``: the stitch and account stages."""

import click

from stream.cli.options import settings_options
from stream.settings import Settings


@click.command(
    epilog="\b\nExamples:\n"
    "  touchline worker --kafka broker:9092 --worker-id 1\n"
    "  touchline worker --kafka broker:9092 --worker-id 2 --stages account"
)
@settings_options("kafka", "data", "worker_id", "stages", "partitions", "topic_prefix", "checkpoint_s")
def command(settings: Settings) -> None:
    """Run the stages that turn events into sessions, attribution and scores.

    Start as many as there are partitions, each with its own --worker-id; they share the work. A worker that starts with
    an empty disk restores its state from the log.
    """
    from stream.stages import heap  # noqa: PLC0415

    heap.use_jemalloc()
    from stream.stages.definitions import STAGES  # noqa: PLC0415 - Faust takes half a second to import
    from stream.stages.worker import main  # noqa: PLC0415

    main(settings, STAGES)
