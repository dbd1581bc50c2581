"""The peer: sessions per visitor in Quix Streams, events per CPU second, beside our stitch stage in the same run.

    python -m bench.peer_quix [--events N] [--kafka | --embedded]

Quix Streams does a small part of the stitch stage's job, on the same events (``bench.quix_job``): one a record, since
that is how it keys its state.
"""

from collections.abc import Iterator

from bench.command import run
from bench.figure import Figure
from bench.goes import per_cpu_s
from bench.place import Broker
from bench.processes import answer
from bench.scale import Scale
from bench.stitch_stage import single_events, stitch_run, warm_up
from bench.traffic import Crowd, pack

_SINGLES = 150_000


def measure(broker: Broker, scale: Scale) -> Iterator[Figure]:
    """The ratio has no bound: it is there for comparison."""
    crowd = Crowd()
    warm = warm_up(crowd)
    frames = pack(crowd.traffic(scale.events))
    records, topic = single_events(broker, frames, _SINGLES)
    peer = records / answer("bench.quix_job", broker.bootstrap, topic, str(records))["cpu_s"]
    ours = per_cpu_s(stitch_run(broker, warm, [frames]))
    yield Figure(
        name="peer: Quix Streams", broker=broker.name, value=ours / peer, unit=" x",
        measured=f"Quix Streams {peer:,.0f} events per CPU second with sessions only; the stitch stage {ours:,.0f}",
        details={"quix_per_cpu_s": peer, "stitch_per_cpu_s": ours},
    )  # fmt: skip


if __name__ == "__main__":
    run("peer_quix")
