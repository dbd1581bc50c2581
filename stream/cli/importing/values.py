"""Cells to values: numbers with separators and currency signs, times of many spellings, lists.

>>> number("€ 1.234,50", ","), number("(1,234.50)", "."), number("USD 12", ".")
('1234.50', '-1234.50', '12')
"""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, tzinfo
from typing import Annotated, Final, Literal

import msgspec

from stream.collect.adapters.crm_lists import ids_in

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_EPOCH: Final = re.compile(r"\d{10}(\d{3})?(\.\d+)?")
_GROUPED: Final = {
    ".": re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?"),
    ",": re.compile(r"\d{1,3}(\.\d{3})+(,\d+)?"),
}
_PLAIN: Final = {".": re.compile(r"\d+(\.\d+)?([eE][+-]?\d+)?"), ",": re.compile(r"\d+(,\d+)?")}
_CODE: Final = re.compile(r"^[A-Z]{3}(?=[\d(+-])|(?<=[\d)])[A-Z]{3}$")
_SIGNS: Final = {"€": "EUR", "£": "GBP"}
"""The dollar's sign is that of many currencies, the yen's of two."""
_SIGN: Final = re.compile("^[+\u2212-]")
_SHORT_ID: Final = re.compile("[A-Za-z0-9]{15}")
_CAPITALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_CLOCK: Final = ("%H", "%I", "%X", "%c")


class BadCell(Exception):
    """A cell that is not what its field needs. The text says why; it does not repeat the cell."""


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a file writes things."""

    decimal: Literal[".", ","] = "."
    dates: tuple[str, ...] = ()
    """``strptime`` formats, tried in this order after ISO 8601."""
    timezone: str = "UTC"
    """Of times without one."""
    separator: Annotated[str, msgspec.Meta(min_length=1)] = ";"
    """Between the parts of a list."""
    ids: Literal["", "salesforce"] = ""
    """``salesforce``: those of 15 characters, as its reports have them, are written with all 18."""


def number(text: str, decimal: str) -> str:
    """A number as JSON and Python write it. Raises: BadCell."""
    bare = "".join(c for c in text if not c.isspace() and c != "'" and unicodedata.category(c) != "Sc")
    bare = _CODE.sub("", bare)
    in_brackets = bare.startswith("(") and bare.endswith(")")
    negative = in_brackets or bare.startswith(("-", "\u2212"))
    digits = _SIGN.sub("", bare[1:-1] if in_brackets else bare)
    other = "," if decimal == "." else "."
    if _GROUPED[decimal].fullmatch(digits):
        digits = digits.replace(other, "")
    elif not _PLAIN[decimal].fullmatch(digits):
        raise BadCell(f"is no number with a decimal {'point' if decimal == '.' else 'comma'}; see --decimal")
    return ("-" if negative else "") + digits.replace(",", ".")


def currency(text: str) -> str:
    """The currency that an amount names by its code, or by a sign that only one has; "" if none.

    >>> currency("EUR 1,200"), currency("9.99 €"), currency("$5")
    ('EUR', 'EUR', '')
    """
    bare = "".join(c for c in text if not c.isspace())
    found = _CODE.search(bare)
    return found[0] if found is not None else next((_SIGNS[c] for c in bare if c in _SIGNS), "")


def moment(text: str, formats: Sequence[str], zone: tzinfo) -> str:
    """A time in ISO 8601 with a zone, a day alone as YYYY-MM-DD, an epoch number as it is. Raises: BadCell."""
    if _EPOCH.fullmatch(text):
        return text
    # A day first: as a time, 20260131 would be its midnight.
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat()
    with suppress(ValueError):
        return _iso(datetime.fromisoformat(text), zone)
    for form in formats:
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007  # the zone follows
        except ValueError:
            continue
        has_clock = any(part in form for part in _CLOCK)
        return _iso(found, zone) if has_clock else found.date().isoformat()
    raise BadCell("is no time in ISO 8601 or a format of the mapping; see --date-format")


def _iso(found: datetime, zone: tzinfo) -> str:
    aware = found if found.tzinfo is not None else found.replace(tzinfo=zone)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(text: str, formats: Sequence[str], zone: tzinfo) -> str:
    """A day as YYYY-MM-DD; of a time without a zone the day that it says. Raises: BadCell."""
    if _DAY.match(text):
        return text[:10]
    found = moment(text, formats, zone)
    if not _DAY.match(found):
        raise BadCell("is no day; see --date-format")
    # The zone's own day: midnight in Berlin is the day before in UTC.
    return (
        found if len(found) == len("2026-01-31") else datetime.fromisoformat(found).astimezone(zone).date().isoformat()
    )


def salesforce_id(text: str) -> str:
    """A Salesforce id as its interfaces write it: reports leave the last three characters out.

    They say which of the others are capitals, five for each. What is no id of 15 characters stays as it is.

    >>> salesforce_id("001A0000006Vm9r"), salesforce_id("001A0000006Vm9rIAC")
    ('001A0000006Vm9rIAC', '001A0000006Vm9rIAC')
    """
    if not _SHORT_ID.fullmatch(text):
        return text
    fives = (text[:5], text[5:10], text[10:])
    capitals = (sum(1 << place for place, sign in enumerate(five) if sign.isupper()) for five in fives)
    return text + "".join(_CAPITALS[found] for found in capitals)


def parts(text: str, separator: str) -> list[str]:
    """The parts of a list, trimmed, without empty ones."""
    return [part for part in (raw.strip() for raw in text.split(separator)) if part]


def ids(text: str, separator: str) -> list[str] | str:
    """The ids of a list, also with another separator where that can be nothing else; the text itself where it may be.

    >>> ids("7;8", ";"), ids("7, 8", ";"), ids("Lee, Ann", ";")
    (['7', '8'], ['7', '8'], 'Lee, Ann')
    """
    found = [ids_in(part) for part in parts(text, separator)]
    return text if None in found else [one for some in found for one in some or ()]
