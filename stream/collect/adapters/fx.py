"""What a currency was worth on a day.

POST /v1/fx (JSON array or NDJSON, Basic write key) -> Events of type fx

A row is ``{date, from, to, rate, updated_at?}``: one unit of ``from`` is ``rate`` units of ``to`` from that day on. The
pair (in either direction) and the day are its key: a later row replaces the rate. They make the entry node
``o:fx/AAA-BBB/YYYY-MM-DD``, so all versions of a rate lie in one partition; the node belongs to no account.

``Event.properties``: day (YYYY-MM-DD), base, quote (ISO 4217), rate (decimal text). ``Event.at`` is ``updated_at``, else
the time of receipt.
"""

from datetime import date
from typing import Final

from schemas import event as kinds
from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row, as_properties, currency_of, day_of, parsed_rows, put_version, text_of
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request
from stream.core.fx import rate_units

_FIRST_DAY: Final = date(1970, 1, 1)
"""Rates are older than events: the central bank's begin in 1999, and one file with all of them should be good."""


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one request, in its order."""
    return parsed_rows(body, request, kinds.FX, "fx", _rate)


def _rate(row: Row, event: Event) -> None:
    day = day_of(row, "date", _FIRST_DAY)
    base, quote, rate = currency_of(row, "from"), currency_of(row, "to"), text_of(row, "rate")
    for name, text in (("from", base), ("to", quote), ("rate", rate)):
        if not text:
            raise Unfit(RejectReason.MISSING_FIELD, name)
    if base == quote:
        raise Unfit(RejectReason.BAD_VALUE, "to")
    try:
        rate_units(rate)
    except ValueError:
        raise Unfit(RejectReason.BAD_VALUE, "rate") from None
    low, high = sorted((base, quote))
    version = put_version(event, row, time_name="updated_at")
    event.node = normal.entry_node(event.tenant, opportunity=f"fx/{low}-{high}/{day}")
    event.id = derived_id(event.node, version, base, rate)
    event.properties = as_properties({"day": day, "base": base, "quote": quote, "rate": rate})
