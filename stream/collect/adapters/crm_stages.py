"""Stages of opportunities as CRMs tell them: their spellings, their history, the day of closing."""

import re
from datetime import date
from typing import Final

from schemas.rejections import RejectReason
from stream.collect import normal
from stream.collect.adapters.rows import Row, text_of, time_of
from stream.collect.bodies import Unfit

_SEPARATORS: Final = re.compile(r"[\s_-]+")
_OUTCOMES: Final = {"won": "won", "closedwon": "won", "lost": "lost", "closedlost": "lost"}
_HISTORY_LIMIT: Final = 200
"""Entries of a history: an opportunity that moved more often was moved by a program."""
_DAY_MS: Final = 86_400_000


def stage_of(row: Row, name: str = "stage") -> str | None:
    """Stage in lower case, ``won`` and ``lost`` in whichever spelling CRMs have them; None if the row has none.

    >>> stage_of({"stage": "Closed Won"}), stage_of({"stage": "closedlost"}), stage_of({"stage": " Proposal  sent "})
    ('won', 'lost', 'proposal sent')
    """
    if name not in row:
        return None
    stage = text_of(row, name).lower()
    return _OUTCOMES.get(_SEPARATORS.sub("", stage)) or " ".join(stage.split())


def history_of(row: Row) -> list[dict[str, object]] | None:
    """``stages: [{stage, at}]`` with times in ms; None if the row has none. Raises: Unfit."""
    if "stages" not in row:
        return None
    given = row["stages"] or []
    if not isinstance(given, list) or len(given) > _HISTORY_LIMIT:
        raise Unfit(RejectReason.BAD_VALUE, "stages")
    return [_entry(one) for one in given]


def _entry(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        raise Unfit(RejectReason.BAD_VALUE, "stages")
    stage, at = stage_of(given), time_of(given, "at")
    if not stage or at is None:
        raise Unfit(RejectReason.MISSING_FIELD, "stages: every entry has a stage and an at")
    return {"stage": stage, "at": at}


def closed_of(row: Row) -> int | None:
    """When it was closed, in ms; None if absent. Raises: Unfit.

    A day alone is its end: what happened on the day of closing came before it, and earns its part.
    """
    at = time_of(row, "closed_at")
    return at + _DAY_MS - 1 if at is not None and _is_day(normal.text(row["closed_at"]).strip()) else at


def _is_day(text: str) -> bool:
    """Whether it is an ISO date without a time, also one like 20260131."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
