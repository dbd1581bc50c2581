"""Letters to the collector: items of one target and key together, oldest letters first."""

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from stream.cli.importing.delivery import BATCH_BYTES, BATCH_ITEMS, Collector
from stream.cli.letters.again import Again, body_of
from stream.cli.letters.reading import Letter

Target = tuple[str, str, bool, bytes]
"""Path, key, GPC, context: what a request's items have in common."""


class Tally(msgspec.Struct):
    """How it went. ``letters`` = ``sent`` + ``partly`` + ``left``."""

    letters: int = 0
    sent: int = 0
    """Letters of which everything went."""
    partly: int = 0
    left: int = 0
    items: int = 0
    """Calls and rows that went."""
    requests: int = 0
    waits: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    """Why something did not go -> how many items, or letters where nothing of them is readable."""


class Sender:
    """Sends what can be sent; with ``url`` "" it only counts."""

    def __init__(self, url: str, *, patience_s: float, waiting: Callable[[str], None]) -> None:
        self.tally = Tally()
        self._url = url
        self._patience_s = patience_s
        self._waiting = waiting
        self._collectors: dict[tuple[str, bool], Collector] = {}
        self._held: dict[Target, list[bytes]] = {}
        self._size: Counter[Target] = Counter()
        self._reasons: Counter[str] = Counter()

    def take(self, found: Iterable[tuple[Letter, Again | str]], progress: Callable[[Tally], None]) -> Tally:
        """Send all. Raises: as ``Collector.post``; what was sent until then stays sent."""
        tally = self.tally
        for _, one in found:
            tally.letters += 1
            if isinstance(one, str):
                tally.left += 1
                self._reasons[one] += 1
            else:
                self._reasons.update(one.refused)
                tally.sent += bool(one.items) and not one.refused
                tally.partly += bool(one.items and one.refused)
                tally.left += not one.items
                self._hold(one)
            progress(tally)
        for target in list(self._held):
            self._flush(target)
        tally.reasons = dict(self._reasons.most_common())
        return tally

    def close(self) -> None:
        """Close the connections."""
        for collector in self._collectors.values():
            collector.close()

    def _hold(self, one: Again) -> None:
        target = (one.path, one.key, one.gpc, one.context)
        for item in one.items:
            held = self._held.setdefault(target, [])
            if held and (len(held) >= BATCH_ITEMS or self._size[target] + len(item) > BATCH_BYTES):
                self._flush(target)
                held = self._held.setdefault(target, [])
            held.append(item)
            self._size[target] += len(item) + 1

    def _flush(self, target: Target) -> None:
        path, key, gpc, context = target
        items = self._held.pop(target)
        del self._size[target]
        if self._url:
            collector = self._collector(key, gpc=gpc)
            collector.post(path, body_of(path, context, items))
            self.tally.requests = sum(one.requests for one in self._collectors.values())
            self.tally.waits = sum(one.waits for one in self._collectors.values())
        self.tally.items += len(items)

    def _collector(self, key: str, *, gpc: bool) -> Collector:
        """Asked first whether it knows the key: what SDKs send is answered 200 with any."""
        known = self._collectors.get((key, gpc))
        if known is None:
            more = {"Sec-GPC": "1"} if gpc else {}
            known = Collector(self._url, key, patience_s=self._patience_s, waiting=self._waiting, more=more)
            self._collectors[key, gpc] = known
            known.check()
        return known
