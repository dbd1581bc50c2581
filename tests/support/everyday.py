"""The short way in C, for tests: built here if it is not, a reason where it cannot be."""

import os

import pytest

from stream.core import everyday

needs_c = pytest.mark.skipif(
    bool(everyday.WHY_NOT) and os.environ.get("CI") != "true",
    reason=f"the short way in C is not in use: {everyday.WHY_NOT}; python build_native.py builds it",
)
"""In CI it has to be there: the tests run, and fail without it."""


def in_c(step, book, node, lines):
    """What C takes, and nothing else."""
    return everyday.take_in_c(step, book, node, lines)
