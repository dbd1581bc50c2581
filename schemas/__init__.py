"""Every shape that Touchline puts on a wire or on a disk: events, messages, facts, rules, topics, SQL.

Bottom layer: imports nothing of ours, does no I/O.
"""
