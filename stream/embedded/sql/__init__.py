"""Embedded SQL server: the ClickHouse engine (chDB) behind ClickHouse's HTTP interface, in a process of its own.

Flow of a query: ``http`` (routes) -> ``requests`` (what was asked) -> ``users`` (who asks) -> ``statements`` (where an
insert's rows begin) -> ``guard`` (what nobody may do) -> ``execution`` (readers and one writer) -> ``engine`` (the only
module that imports chDB) -> ``replies``. It is one node for one machine; see docs/design/embedded-sql.md.
"""
