"""The short way in C, for tests: built here if it is not, a reason where it cannot be."""

import gc
import os
import sys

import pytest

from stream.core import compiled, everyday
from stream.core.visit import go_on

needs_c = pytest.mark.skipif(
    bool(compiled.WHY_NOT) and os.environ.get("CI") != "true",
    reason=f"the short way in C is not in use: {compiled.WHY_NOT}; python build_native.py builds it",
)
"""In CI it has to be there: the tests run, and fail without it."""


def blocks():
    """Pieces of memory that objects have. What only waits to be collected, of other tests too, is none."""
    gc.collect()
    return sys.getallocatedblocks()


def neither(*_args):
    """Stands for Python's short way: takes nothing."""
    return False


WAYS = {
    "general": {"first": everyday.left_to_python, "everyday": neither},
    "short": {"first": everyday.left_to_python, "everyday": go_on},
    "in C": {"first": everyday.take_in_c, "everyday": neither},
    "all": {"first": everyday.take_in_c, "everyday": go_on},
}
"""Who takes what of a frame, as arguments of ``events_step``."""
