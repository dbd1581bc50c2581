"""The format of a partition's state: which layout of keys and records this version writes, and reads.

A record of another layout does not always fail to decode: fields that it lacks get their defaults, and records under keys
that nobody asks for any more are as good as gone. The numbers would be wrong and nothing would say so.
"""

from typing import Final

from schemas.errors import Fatal

STATE_FORMAT: Final = 5
"""Raised by whoever changes what is stored (CONTRIBUTING.md has the rule). It is in each store and in each checkpoint."""
READABLE: Final = frozenset({3, 4, STATE_FORMAT})
"""Formats whose records mean the same to this version: in 3 all subscribers of a node have keys (``NodeState.few`` is None), in
3 and 4 all entries of a node's ids are in its record (``Seen.sheets`` is empty)."""
UNNUMBERED: Final = 0
"""Of state that says nothing: it was written before formats had numbers."""


def refuse_other_format(found: int, *, stage: str, partition: int, where: str) -> None:
    """Stop before state of a format that we cannot read is read as ours. ``where`` is a folder or a topic.

    Raises: Fatal.
    """
    if found in READABLE:
        return
    writer = "before formats had numbers" if found == UNNUMBERED else f"in format {found}"
    ours = " and ".join(map(str, sorted(READABLE)))
    version = "an older" if found < STATE_FORMAT else "a newer"
    raise Fatal(
        f"the state of stage {stage}, partition {partition}, in {where} was written {writer}, by {version} version; this one"
        f" reads {ours}. Go back to that version, or let the state be computed again from the log:"
        ' docs/operations.md, "State of another version"'
    )
