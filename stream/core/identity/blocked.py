"""Values that programs send in place of an id: they would make one person of everybody."""

import re
from functools import lru_cache
from typing import Final

_SHIPPED: Final = frozenset({
    "anonymous", "anon", "guest", "distinctid", "distinct_id", "id", "userid", "user_id", "not_authenticated", "email",
    "undefined", "null", "nil", "none", "nan", "n/a", "na", "true", "false", "unknown", "unidentified", "unset",
    "[object object]", "-1",
})  # fmt: skip
_ONLY_ZEROS: Final = re.compile(r"[0-]*")
_LONGEST: Final = 200
"""Characters. Longer ones are tokens or pages, not ids."""


@lru_cache(maxsize=1 << 16)
def _is_shipped(value: str) -> bool:
    bare = value.strip().strip("'\"").strip().lower()
    return bare in _SHIPPED or len(value) > _LONGEST or _ONLY_ZEROS.fullmatch(bare) is not None


def is_blocked(value: str, added: tuple[str, ...]) -> bool:
    """Whether ``value`` names nobody, by the shipped list or by ``added`` (``rules.blocked_ids``)."""
    return _is_shipped(value) or value in added
