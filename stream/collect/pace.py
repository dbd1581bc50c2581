"""How quickly a partition's frame fills, tick by tick: whether it is worth keeping open. No clock: it is told the time.

    pace = Pace(tick_s=0.02)
    pace.got += 25                                       # events, as they come
    pace.tick(now=1.0)                                   # 1,250 a second: it fills
    pace.stays_open(opened=0.99, now=1.0, unsafe=False)  # True

A frame costs a worker 0.2 to 1 ms whatever is in it, so where many events come, frames should be few and large. Clients
that send no more before they are answered would only wait: nothing comes while their frame is kept open. The first
tick that sees that sends it, and for a while none is kept open.
"""

from typing import Final

FLOW: Final = 1000.0
"""Events a second and partition from which on its frame is kept open. At 20 ms a tick, 20 events: less is sent as it is."""
HELD_S: Final = 0.25
"""At a tick, a frame of this age is never kept open. Much less than a worker's own latency where so much comes."""
REST_S: Final = 2.0
"""For so long after a frame was kept open for nothing none is. It cost a tick or two, which is then 2 % of the time."""


class Pace:
    """Of one partition."""

    __slots__ = ("_least", "_rests_until", "filling", "got")

    def __init__(self, tick_s: float) -> None:
        self._least = max(1.0, FLOW * tick_s)
        self._rests_until = 0.0
        self.got = 0
        """Events since the last tick."""
        self.filling = False
        """The flow is worth waiting for, as of the last tick."""

    def tick(self, now: float) -> None:
        """A tick is over, ``now`` in s."""
        quick, self.got = self.got >= self._least, 0
        if self.filling and not quick:
            self._rests_until = now + REST_S
        self.filling = quick and now >= self._rests_until

    def stays_open(self, opened: float, now: float, *, unsafe: bool) -> bool:
        """Whether a frame that is not full waits for the next tick. ``unsafe``: the one before it is not safe yet."""
        return now - opened < HELD_S and (unsafe or self.filling)
