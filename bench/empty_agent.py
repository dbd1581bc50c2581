"""The stitch stage's yardstick: a Faust agent with an empty body over single-event records, with the worker's settings.

    python -m bench.empty_agent BOOTSTRAP TOPIC RECORDS

Prints one JSON line: CPU and wall seconds from the first record that the agent sees to the last. Starting up and joining
the group are not counted, which favours the yardstick.
"""

import asyncio
import os
import sys
import tempfile
import time

import faust
import msgspec
import uvloop


async def run(bootstrap: str, name: str, records: int, folder: str) -> None:
    app = faust.App(
        f"empty-{name}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        topic_partitions=4,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        producer_threaded=False,
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_buffer_maxsize=4096,
        consumer_max_fetch_size=8 << 20,
        consumer_auto_offset_reset="earliest",
        broker_commit_every=1000,
        broker_commit_interval=0.5,
    )
    topic = app.topic(
        name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", partitions=4
    )
    done = asyncio.Event()
    spent = {}

    @app.agent(topic)
    async def agent(stream):
        seen = 0
        async for _ in stream:
            if not seen:
                cpu, wall = time.process_time(), time.perf_counter()
            seen += 1
            if seen == records:
                spent.update(cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall)
                done.set()

    app.finalize()
    await app.start()
    await done.wait()
    print(msgspec.json.encode(spent).decode(), flush=True)
    os._exit(0)  # Faust takes seconds to stop and has nothing to lose here


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), folder))
