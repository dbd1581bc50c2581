"""The pipeline's yardstick: read frames with aiokafka, decode the events, encode one row an event. No logic, no state.

    python -m bench.floor BOOTSTRAP TOPIC EVENTS

Reads the topic from its beginning until EVENTS events are in, three times. The first pass warms up, the others count alike, as
all goes of the pipeline do: where one pass takes half as long again as the next, the fastest of them is a lucky minute, and
who runs once has none. The row is the event itself, encoded again. Prints one JSON line: CPU and wall seconds of a pass.
"""

import sys
import time
from statistics import mean

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from schemas.event import Event

_PASSES = 3
_OTHER = {topics.MESSAGE_FRAME.encode(), topics.CONTROL_FRAME.encode()}


async def run(bootstrap: str, topic: str, events: int) -> None:
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, max_partition_fetch_bytes=8 << 20, fetch_max_bytes=64 << 20, check_crcs=False
    ) as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in range(4)])
        passes = [await one_pass(consumer, events) for _ in range(_PASSES)]
    cpu, wall = (mean(values) for values in zip(*passes[1:], strict=True))
    print(msgspec.json.encode({"cpu_s": cpu, "wall_s": wall}).decode(), flush=True)


async def one_pass(consumer: AIOKafkaConsumer, events: int) -> tuple[float, float]:
    lines = msgspec.json.Decoder(Event).decode_lines
    encode = msgspec.json.Encoder().encode
    await consumer.seek_to_beginning()
    cpu, wall = time.process_time(), time.perf_counter()
    seen = 0
    while seen < events:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            for record in records:
                if dict(record.headers).get(topics.KIND_HEADER) in _OTHER:
                    continue
                rows = [encode(event) for event in lines(record.value)]
                seen += len(rows)
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
