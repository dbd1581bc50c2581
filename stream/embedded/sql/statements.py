r"""What a statement looks like from outside: its words, where an insert's rows begin, the format it asks for.

Only as much of ClickHouse's lexer as that takes; what a statement *means* is asked of the engine (``guard``).

    >>> split_insert(b"INSERT INTO t (a) SETTINGS x=1 FORMAT TSV\n1\n2\n")
    Insert(head='INSERT INTO t (a) SETTINGS x=1', format='TSV', rows_at=42)
    >>> output_format("SELECT 1\nFORMAT JSON")
    'JSON'
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\.|'')*')
    |(?P<quoted>"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
    |(?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[0-9][A-Za-z0-9_.]*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
HEAD_BYTES: Final = 256 << 10
"""Rows of an insert begin within this many bytes, or the statement is taken as a whole (ClickHouse's max_query_size)."""


class Token(NamedTuple):
    """A word, quoted name, string or sign. ``end`` is where it ends in the text."""

    kind: str
    text: str
    end: int


class Insert(NamedTuple):
    """An insert that is followed by its rows. ``head`` lacks the FORMAT clause; ``rows_at`` counts bytes."""

    head: str
    format: str
    rows_at: int


def tokens(text: bytes) -> Iterator[Token]:
    """What is neither white space nor comment, in order."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind == "tag":
            kind = "heredoc"
        if kind != "space":
            yield Token(kind, match[0].decode("utf-8", "replace"), match.end())


def split_insert(text: bytes) -> Insert | None:
    """Cut ``INSERT INTO t ... FORMAT Name <rows>``; None for every other statement, VALUES and SELECT included."""
    depth, previous, start = 0, "", 0
    for token in tokens(text[:HEAD_BYTES]):
        word = token.text.upper() if token.kind == "word" else ""
        if not previous and word != "INSERT":
            return None
        if previous == "FORMAT" and token.kind == "word":
            head = text[:start].decode("utf-8", "surrogateescape")
            return Insert(head.strip(), token.text, _rows_at(text, token.end))
        if depth == 0 and word in ("VALUES", "SELECT", "WITH", "WATCH"):
            return None
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "other" else 0
        previous = word if depth == 0 and word else token.kind
        if previous == "FORMAT":
            start = token.end - len("FORMAT")
    return None


def _rows_at(text: bytes, end: int) -> int:
    """Rows start after the first newline, or after the blanks where there is none (as ClickHouse has it)."""
    while text[end : end + 1] in (b" ", b"\t", b"\f"):
        end += 1
    if text[end : end + 1] == b"\r":
        end += 1
    return end + 1 if text[end : end + 1] == b"\n" else end


def output_format(canonical: str) -> str | None:
    """Format that a statement in the engine's own spelling asks for; None if it leaves that to the request."""
    depth, last, name = 0, "", None
    for token in tokens(canonical.encode("utf-8", "surrogateescape")):
        if depth == 0 and last == "FORMAT" and token.kind == "word":
            name = token.text
        if token.kind == "other":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        last = token.text.upper() if token.kind == "word" else ""
    return name
