"""Values that programs send in place of an id: they would make one person of everybody."""

from typing import Final

_SHIPPED: Final = frozenset({
    "anonymous", "anon", "guest", "distinctid", "distinct_id", "id", "userid", "user_id", "not_authenticated", "email",
    "undefined", "null", "nil", "none", "nan", "n/a", "na", "true", "false", "unknown", "unidentified", "unset",
    "[object object]", "-1",
})  # fmt: skip
_LONGEST: Final = 200
"""Characters. Longer ones are tokens or pages, not ids."""


def is_blocked(value: str, added: tuple[str, ...]) -> bool:
    """Whether ``value`` names nobody, by the shipped list or by ``added`` (``rules.blocked_ids``)."""
    # Not remembered: a site has more ids than any cache, and to look among as many costs more than to compare.
    bare = value.strip().strip("'\"").strip().lower()
    return bare in _SHIPPED or len(value) > _LONGEST or not bare.strip("0-") or value in added
