"""Fixtures of all tests live in ``tests/support``; each module is listed here."""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.support.brokers",
    "tests.support.chdb_database",
    "tests.support.hubs",
    "tests.support.sql",
]

# How fast a machine is must not decide whether a law holds on it.
settings.register_profile("touchline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("touchline")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names packed bytes after their argument: gzip writes the time into them, and two workers would collect different tests."""
    return argname if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None
