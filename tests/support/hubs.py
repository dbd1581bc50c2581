"""Hubs of the identity forest are small in tests, so that small forests have some."""

from collections.abc import Iterator

import pytest

from stream.core.identity import subscribers


@pytest.fixture(scope="session", autouse=True)
def small_hubs() -> Iterator[None]:
    """From three subscribers on they have keys. Processes that tests start are not told."""
    usual, subscribers.FEW = subscribers.FEW, 2  # type: ignore[misc]
    yield
    subscribers.FEW = usual  # type: ignore[misc]
