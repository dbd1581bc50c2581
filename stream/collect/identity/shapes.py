"""Bodies of ``/v1/identity`` beside those of ``orders``."""

import msgspec

from stream.collect.identity.orders import Link, Merge


class Unlink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A claim by its id (and its child, where the id is not unique), or all from ``child`` to ``parent``."""

    id: str = ""
    child: str = ""
    parent: str = ""


class Unmerge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A merge by its id, or all of ``loser`` into ``winner``."""

    id: str = ""
    loser: str = ""
    winner: str = ""


class Preview(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What would be said: exactly one of them."""

    link: Link | None = None
    unlink: Unlink | None = None
    merge: Merge | None = None
    unmerge: Unmerge | None = None
