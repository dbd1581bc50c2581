"""Embedded broker: one node that speaks Kafka's wire protocol, for one machine and in a process of its own.

Flow of a request: ``connection`` cuts frames and decodes them with ``apis`` (the table of messages) and ``wire`` (the
codec) -> ``requests``, ``coordination`` and ``admin`` answer -> ``partition`` and ``segment`` keep the log, ``groups``
the consumer groups, ``catalog`` (SQLite) everything else. ``upkeep`` expires and compacts, ``durability`` syncs off the
loop.
It is not a cluster and has no transactions; see docs/design/embedded-broker.md.
"""
