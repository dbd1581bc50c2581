"""Fixtures of all tests live in ``tests/support``; each module is listed here."""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.support.brokers",
    "tests.support.chdb_database",
    "tests.support.sql",
]

# How fast a machine is must not decide whether a law holds on it.
settings.register_profile("touchline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("touchline")
