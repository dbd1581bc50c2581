"""An event loop that never sleeps: when nothing is ready, it is the time of the next timer. Only for code without I/O."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and no timer is set"
        self.now += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._selector_with_time = _Selector()
        super().__init__(self._selector_with_time)

    def time(self) -> float:
        return self._selector_with_time.now


def run(main: Coroutine[object, object, T]) -> T:
    """The result of ``main``; ``loop.time()`` begins at 0."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
