"""Rows of ``identity_claims`` folded as ``v_identity_claims`` shows them, for tests that ask a ``Book``."""

from collections.abc import Iterable

import msgspec

from schemas.facts import IdentityClaimRow
from stream.core.identity.audit import END
from stream.core.identity.book import Held, Known

_row = msgspec.json.Decoder(IdentityClaimRow)


def known_of(rows: Iterable[bytes | dict]) -> list[Known]:
    """The claims as they stand after the rows, which come in the order in which they were booked."""
    last: dict[tuple[str, str, str], Known] = {}
    for row in rows:
        r = msgspec.convert(row, IdentityClaimRow) if isinstance(row, dict) else _row.decode(row)
        held = Held(
            f"{r.tenant}/{r.parent}" if r.parent else "",
            r.precedence,
            r.at,
            r.since,
            None if r.until == END else r.until,
            r.source,
        )
        name = f"{r.tenant}/{r.node}"
        live, limited = r.action == "claim", r.action == "limit"
        last[r.tenant, r.node, r.claim_id] = Known(name, r.claim_id, held, live, 0, r.cause_event_id, limited)
    return list(last.values())
