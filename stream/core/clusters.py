"""Clusters: how a visitor's hits are stored, and how a late one extends, splits off or bridges sessions.

A cluster is a maximal run of hits with no gap longer than the rules' session gap. Sessions never cross clusters, so a
late hit costs a refold of the one or two clusters that it touches, however many the visitor has. A hit in order is
appended to the newest cluster and folded alone.

The newest cluster lies in the visitor's own record (``stream.core.seen``), which every frame reads and writes anyway; it
moves to a key of its own when a newer one begins. That halves what a frame reads and writes. Of a long cluster (a client
may ping for days without a gap) all hits but the last few lie in chunks under keys of their own, so a hit costs the same
whatever came before it.
"""

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import msgspec

from schemas.codec import state_encoder
from stream.core.hits import Hit, Item
from stream.core.rulebook import Rulebook
from stream.core.sessions import Session, advance, fold, same_content
from stream.core.state import State, key, time_part

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE: Final = -(2**62)
"""Start of the newest cluster of a visitor that has none."""


_hits: Final = msgspec.msgpack.Decoder(list[Hit])
_ARRAY_32: Final = b"\xdd"
"""MessagePack: an array whose length follows in 4 bytes."""
CHUNK: Final = 16 << 10
"""Bytes of hits in a cluster's record, about 100: more go to a chunk."""


class Cluster(msgspec.Struct, array_like=True, gc=False):
    """One run of hits in order, and the sessions that they fold to.

    Hits stay encoded: only a late one needs them again. A hit in order costs its own few bytes, not a decoding and an
    encoding of all hits before it.
    """

    start: int = 0
    """Time of the first hit, ms; part of the state key."""
    end: int = 0
    """Time of the last hit, ms."""
    last: str = ""
    """Id of the last hit."""
    count: int = 0
    """Hits in all."""
    chunks: int = 0
    """How many chunks of earlier hits lie under keys of their own."""
    packed: bytes = b""
    """The hits after them, one MessagePack value after the other."""
    sessions: list[Session] = msgspec.field(default_factory=list)
    """The last one is open for the next hit."""

    def append(self, hit: Hit) -> None:
        """Add a hit that comes after all others."""
        if not self.count:
            self.start = hit.at
        self.end, self.last = hit.at, hit.id
        self.count += 1
        self.packed += state_encoder.encode(hit)


class Chunk(msgspec.Struct, array_like=True, gc=False):
    """Hits of a long cluster that are no longer its last ones."""

    packed: bytes


def cluster_of(hits: "Sequence[Hit]") -> Cluster:
    """A cluster of hits in order, without its sessions."""
    packed = b"".join(map(state_encoder.encode, hits))
    return Cluster(hits[0].at, hits[-1].at, hits[-1].id, len(hits), 0, packed)


def cluster_prefix(node: str) -> str:
    """Prefix of the keys of a visitor's clusters."""
    return key("i", node, "s", "")


class Changes:
    """What a frame did to a visitor's sessions.

    Attributes:
        changed: session -> (session, id of the event that changed it, whether that came late).
        dissolved: sessions that are no more.
        withdrawn: items that are no more.
        users: user node -> how many more sessions have claims for it.
    """

    __slots__ = ("changed", "dissolved", "users", "withdrawn")

    def __init__(self) -> None:
        self.changed: dict[str, tuple[Session, str, bool]] = {}
        self.dissolved: Sequence[Session] = ()
        self.withdrawn: Sequence[Item] = ()
        self.users: dict[str, int] = {}


class Clusters:
    """A visitor's clusters during one frame: ``add`` and ``remove``, then ``finish``, then ``write``.

    ``newest`` is not written: whoever keeps the visitor's record takes it from here, and ``spread``.
    """

    __slots__ = (
        "_book",
        "_changes",
        "_node",
        "_old",
        "_prefix",
        "_stale",
        "_state",
        "_touched",
        "newest",
        "newest_start",
        "spread",
    )

    def __init__(self, state: State, node: str, book: Rulebook, newest: Cluster | None, *, spread: bool) -> None:
        self._state = state
        self._node = node
        self._book = book
        self._prefix = f"i\x00{node}\x00s\x00"
        self.newest = newest
        self.spread = spread
        self.newest_start = NONE if newest is None else newest.start
        self._touched: dict[int, Cluster] = {}
        self._stale: dict[int, tuple[str, bool]] = {}
        self._old: dict[str, Session] = {}
        self._changes = Changes()

    def add(self, hit: Hit, cause: str) -> None:
        """Take a hit in, wherever it belongs. No hit with its (time, id) is there yet."""
        newest = self.newest
        if self._old:
            # Sessions that were taken apart may come together again: they must be compared.
            late = newest is not None and hit.order() < (newest.end, newest.last)
            self._insert(hit, cause, late=late)
            return
        if newest is None:
            self._begin(hit, cause)
            return
        since = hit.at - newest.end
        if since > 0 or (since == 0 and hit.id > newest.last):
            if since > self._book.gap_ms:
                self._begin(hit, cause)
            else:
                self._append(newest, hit, cause)
            return
        self._insert(hit, cause, late=True)

    def _begin(self, hit: Hit, cause: str) -> None:
        cluster = Cluster()
        self._promote(cluster, hit.at)
        self._append(cluster, hit, cause)

    def _promote(self, cluster: Cluster, start: int) -> None:
        """Make ``cluster`` the newest; the one that was it gets a key of its own."""
        if self.newest is not None:
            self._touched[self.newest_start] = self.newest
        self.newest, self.newest_start = cluster, start

    def _append(self, cluster: Cluster, hit: Hit, cause: str) -> None:
        cluster.append(hit)
        if len(cluster.packed) > CHUNK:
            self._shelve(cluster)
        if self.newest_start in self._stale:
            return
        sessions = cluster.sessions
        before = sessions[-1] if sessions else None
        known = len(before.users) if hit.user and before is not None else 0
        after = advance(before, hit, self._node, self._book)
        if after is None:
            return
        if after is not before:
            sessions.append(after)
            known = 0
        if hit.user and len(after.users) > known and hit.user not in [name for _, name in after.users[:-1]]:
            self._count(hit.user, 1)
        self._changes.changed[after.id] = (after, cause, False)

    def _insert(self, hit: Hit, cause: str, *, late: bool) -> None:
        around = [c for c in self._around(hit.at) if self._adjacent(c, hit.at)]
        hits = []
        for cluster in around:
            hits += self._hits(cluster)
            self._retire(cluster)
        hits.insert(bisect_left(hits, hit.order(), key=Hit.order), hit)
        self._adopt(cluster_of(hits), cause, late=late)

    def remove(self, at: int, event_id: str, cause: str) -> Hit | None:
        """Take the hit of an event out again; what it held together falls apart."""
        for cluster in self._around(at):
            hits = self._hits(cluster)
            place = bisect_left(hits, (at, event_id), key=Hit.order)
            if place < len(hits) and hits[place].order() == (at, event_id):
                self._retire(cluster)
                self._adopt_pieces(hits[:place] + hits[place + 1 :], cause)
                if self.newest is None:
                    self._find_newest()  # whoever adds a hit next must find it
                return hits[place]
        return None

    def _adopt_pieces(self, hits: list[Hit], cause: str) -> None:
        begin = 0
        for i in range(1, len(hits) + 1):
            if i == len(hits) or hits[i].at - hits[i - 1].at > self._book.gap_ms:
                self._adopt(cluster_of(hits[begin:i]), cause, late=False)
                begin = i

    def _adjacent(self, cluster: Cluster, at: int) -> bool:
        return cluster.start - self._book.gap_ms <= at <= cluster.end + self._book.gap_ms

    def _around(self, at: int) -> list[Cluster]:
        """The last cluster that begins at or before ``at`` and the first one after it, in this order."""
        self.write()
        newest = self.newest
        if newest is not None and self.newest_start <= at:
            return [newest]
        if not self.spread:
            return [] if newest is None else [newest]
        prefix = self._prefix
        found = self._state.scan(prefix, Cluster, start=self._name(at), reverse=True, limit=1)
        above = self._state.scan(prefix, Cluster, start=self._name(at + 1), limit=1)
        around = [self._touched.get(cluster.start, cluster) for _, cluster in found + above]
        return around if above or newest is None else [*around, newest]

    def _retire(self, cluster: Cluster) -> None:
        """Forget the cluster as it is, but remember its sessions, to compare them with what comes in their place."""
        for session in cluster.sessions:
            # A session that this frame began and refolds has nothing to compare with but itself; it goes the same way.
            self._old[session.id] = session
            for user in _users(session):
                self._count(user, -1)
        for number in range(cluster.chunks):
            self._state.delete(self._chunk_name(cluster, number))
        self._stale.pop(cluster.start, None)
        if cluster is self.newest:
            self.newest, self.newest_start = None, NONE
        else:
            self._state.delete(self._name(cluster.start))
            self._touched.pop(cluster.start, None)

    def _adopt(self, cluster: Cluster, cause: str, *, late: bool) -> None:
        """Put a cluster in whose sessions are still to be folded."""
        start = cluster.start
        self._stale[start] = (cause, late)
        if self.newest is not None and start > self.newest_start:
            self._promote(cluster, start)
            return
        self._touched[start] = cluster
        if self.newest is None:
            self._find_newest()

    def _find_newest(self) -> None:
        """The newest cluster was taken away: the latest of the others takes its place."""
        self.write()
        for name, cluster in self._state.scan(self._prefix, Cluster, reverse=True, limit=1) if self.spread else ():
            self._state.delete(name)
            self.newest = self._touched.pop(cluster.start, cluster)
            self.newest_start = cluster.start

    def finish(self) -> Changes:
        """Fold what is stale, compare, and tell what changed."""
        if self.newest is None:
            self._find_newest()
        if self._stale or self._old:
            self._refold()
        if self._changes.users:
            self._changes.users = {user: count for user, count in self._changes.users.items() if count}
        return self._changes

    def _refold(self) -> None:
        items = {item.id: item for session in self._old.values() for item in session.items}
        changed = self._changes.changed
        for start, (cause, late) in self._stale.items():
            cluster = self._touched.get(start) or self.newest
            assert cluster is not None, "a stale cluster is touched or the newest"
            cluster.sessions = fold(self._hits(cluster), self._node, self._book)
            for session in cluster.sessions:
                for user in _users(session):
                    self._count(user, 1)
                moved = self._carry(session, items)
                old = self._old.pop(session.id, None)
                earlier = changed.pop(session.id, None)
                if old is not None:
                    session.account, session.person, session.held = old.account, old.person, old.held
                    session.counted, session.by_network = old.counted, old.by_network
                if old is None or earlier is not None or moved or not same_content(old, session):
                    changed[session.id] = (session, cause, late)
        for session in self._old.values():
            changed.pop(session.id, None)
        self._changes.dissolved = list(self._old.values())
        self._changes.withdrawn = list(items.values())

    @staticmethod
    def _carry(session: Session, items: dict[str, Item]) -> bool:
        """Let the session's items remember to whom they were sent; whether one of them is new or says something else."""
        changed = False
        for item in session.items:
            old = items.get(item.id)
            if old is not None and old.at != item.at:
                old = None  # accounts keep it by its time: it is withdrawn where it was, and this one is new
            if old is not None:
                del items[item.id]
                item.account, item.person, item.by_network = old.account, old.person, old.by_network
                item.held = old.held or not item.same_content(old)
            changed = changed or item.held
        return changed

    def write(self) -> None:
        """Store what was touched of the older clusters, once it was shown to its owners."""
        for start, cluster in self._touched.items():
            self.spread = True
            self._state.put(self._name(start), cluster)

    def _count(self, user: str, delta: int) -> None:
        self._changes.users[user] = self._changes.users.get(user, 0) + delta

    def _shelve(self, cluster: Cluster) -> None:
        self._state.put(self._chunk_name(cluster, cluster.chunks), Chunk(cluster.packed))
        cluster.chunks += 1
        cluster.packed = b""

    def _hits(self, cluster: Cluster) -> list[Hit]:
        """All hits of a cluster, in order."""
        chunks = [self._state.get(self._chunk_name(cluster, number), Chunk) for number in range(cluster.chunks)]
        earlier = b"".join(chunk.packed for chunk in chunks if chunk is not None)
        return _hits.decode(_ARRAY_32 + cluster.count.to_bytes(4, "big") + earlier + cluster.packed)

    def _chunk_name(self, cluster: Cluster, number: int) -> str:
        return key("i", self._node, "h", time_part(cluster.start), f"{number:08x}")

    def _name(self, start: int) -> str:
        return self._prefix + time_part(start)


def _users(session: Session) -> dict[str, None]:
    return dict.fromkeys(name for _, name in session.users)
