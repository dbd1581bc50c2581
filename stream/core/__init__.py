"""The pure heart: everything that decides a number. No clock, no randomness, no I/O, no Kafka, no ClickHouse.

Imports ``schemas`` and the standard library only (import-linter enforces it).
"""
