"""Fixtures of all tests live in ``tests/support``; each module is listed here."""

pytest_plugins = [
    "tests.support.brokers",
    "tests.support.chdb_database",
    "tests.support.sql",
]
