"""What nobody may do through HTTP: reach files, programs or other hosts.

Most of it is the engine's own access control (``configuration`` grants no SOURCES). This module holds what grants do
not cover in chDB. It reads the engine's canonical spelling of a statement, so comments, case and quoting hide nothing.
"""

from typing import Final

from stream.embedded.sql.errors import ACCESS_DENIED, QueryError
from stream.embedded.sql.statements import Token, tokens

_FUNCTIONS: Final = frozenset({"file", "executable", "python", "disk", "catboostevaluate"})
_ENGINES: Final = frozenset({"executable", "executablepool", "python"})
_WORDS: Final = frozenset({"INFILE", "OUTFILE"})
_SETTINGS: Final = frozenset({"profile", "dialect"})
"""A profile would lift the limits of another one; a dialect would be parsed by rules that this module does not know."""


def refuse_reach(canonical: str) -> None:
    """Raise QueryError (ACCESS_DENIED) if the statement reaches outside the database.

    Args:
        canonical: the statement as ``formatQuery`` writes it.
    """
    nothing = Token("", "", 0)
    found = [nothing, nothing, *tokens(canonical.encode("utf-8", "surrogateescape")), nothing]
    in_settings = False
    for i in range(2, len(found) - 1):
        token = found[i]
        if token.kind == "word" and token.text.isupper():
            in_settings = token.text in ("SETTINGS", "SET")
        if token.kind in ("word", "quoted") and (what := _reach(found[i - 2 : i + 2], in_settings=in_settings)):
            raise QueryError(ACCESS_DENIED, f"{what} is not available through this server.")


def refuse_setting(name: str) -> None:
    """Raise QueryError if a setting may not be given in the URL."""
    if name.lower() in _SETTINGS:
        raise QueryError(ACCESS_DENIED, f"Setting {name} is not available through this server.")


def _reach(near: list[Token], *, in_settings: bool) -> str:
    """What the third of four neighbouring tokens reaches; "" for nothing."""
    engine, before, token, after = near
    name = token.text.strip('`"').lower()
    if token.text in _WORDS and after.kind == "string":
        return f"INTO OUTFILE or FROM INFILE ({token.text})"
    if name in _FUNCTIONS and (after.text == "(" or before.text == "APPLY"):
        return f"Function {name}"
    if name in _ENGINES and before.text == "=" and engine.text == "ENGINE":
        return f"Engine {name}"
    if in_settings and name in _SETTINGS and after.text == "=":
        return f"Setting {name}"
    return ""
