"""What is compiled of the core (``stream/core/native``), and whether it may be used here.

C reads and writes records and messages without their classes, so it has to know the same fields in the same order.
"""

from typing import Final

import msgspec

from schemas.event import Event
from schemas.facts import AccountRow, EngagementRow, SessionColumns
from schemas.messages import Touch, TouchPut
from stream.core.clusters import CHUNK, Cluster
from stream.core.engagement import PersonTally
from stream.core.hits import Hit, Item
from stream.core.intent import Day, Fired
from stream.core.journey import Header, StoredTouch
from stream.core.nodes import NodeState
from stream.core.seen import PACKED_BYTES, SHEET_BYTES, Seen
from stream.core.sessions import Session
from stream.core.sources import Source

try:
    from stream.core import _everyday as native
except ImportError as error:
    native = None  # type: ignore[assignment]
    _absent = str(error)

__all__ = ["WHY_NOT", "difference", "native"]

_RECORDS: Final = (Seen, Cluster, Session, Source, Item, Hit, NodeState, Header, StoredTouch, PersonTally, Day, Fired)
_ROWS: Final = (SessionColumns, AccountRow, EngagementRow)
_READ: Final = (Event, Touch, TouchPut)
"""Of these C knows what the values are, too."""
_INTERFACE: Final = "6"
"""What is called of C, and how: as ``stream/core/native/layout.h`` has it."""
_KINDS: Final[dict[object, str]] = {
    str: "TEXT", int: "WHOLE", bool: "TRUTH", dict[str, bool] | None: "CONSENT", msgspec.Raw | msgspec.UnsetType: "ANY",
    Touch | None: "TOUCH",
}  # fmt: skip
"""What C calls the types of fields."""


def difference(layout: dict[str, str]) -> str:
    """In what the C code and the structs differ that it reads and writes; "" if in nothing.

    Args:
        layout: the fields that C knows by struct, in order, with spaces between; of events and touches with their kinds. With
            them what is called and how (``interface``), and how many bytes of hits and hashes a record may have and how
            many a sheet has (``room``).
    """
    ours = {struct.__name__: " ".join(struct.__struct_fields__) for struct in (*_RECORDS, *_ROWS)}
    for struct in _READ:
        fields = msgspec.structs.fields(struct)
        ours[struct.__name__] = " ".join(f"{field.encode_name}:{_KINDS.get(field.type, '?')}" for field in fields)
    ours |= {"interface": _INTERFACE, "room": f"{CHUNK} {PACKED_BYTES} {SHEET_BYTES}"}
    for name, found in ours.items():
        if layout.get(name, "").rstrip() != found:
            return f"{name} is not what stream/core/native says: it has {found}"
    return ""


WHY_NOT: Final = f"not built ({_absent})" if native is None else difference(native.LAYOUT)
"""Why what is compiled is not used; "" if it is."""
