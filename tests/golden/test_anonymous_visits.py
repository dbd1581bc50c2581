"""What Snowplow's browser tracker sends in anonymous mode, as sessions: each visit counts, and no two are joined."""

import json

import pytest

from stream.collect.adapters.snowplow import events_of
from tests.support.stitch import Stage
from tests.unit.collect.senders import DEV, request

BEGIN = 1_790_000_000_000
"""2026-09-21T14:13:20Z"""
MINUTE, DAY = 60_000, 86_400_000
S1, S2 = "7a02df17ec4e0d05dd4f9be64c823d21", "bcf6272a3efcb87ddccfe890cb288c63"
"""Of the sessions s1 and s2. By hand: printf 'unnamed\\037default\\037website\\037s1' | b2sum -l 128"""
E5, E6 = "841050967cea2bec759f801c7f8b2353", "24edc1a8fb509a217ad942e2f8423ab4"
"""Of the events 5 and 6, which have no session."""

SENT = (
    # eid, time, header, what the tracker says of whom
    ("1", 0, {}, {"duid": "known", "uid": "u1"}),
    ("2", 1 * DAY, {"sp-anonymous": "*"}, {"sid": "s1", "nuid": "net"}),
    ("3", 1 * DAY + 5 * MINUTE, {"sp-anonymous": "*"}, {"sid": "s1", "nuid": "net"}),
    ("4", 2 * DAY, {}, {"sid": "s2"}),
    ("5", 3 * DAY, {"sp-anonymous": "*"}, {"nuid": "net"}),
    ("6", 3 * DAY + MINUTE, {"sp-anonymous": "*"}, {"nuid": "net"}),
)
"""One browser: by name, then three times anonymously, with the header and without, with session tracking and without."""
EXPECTED = [
    # visitor, begin and end as sent, pages, person
    ("known", BEGIN, BEGIN, 1, "u1"),
    (S1, BEGIN + DAY, BEGIN + DAY + 300_000, 2, S1),
    (S2, BEGIN + 2 * DAY, BEGIN + 2 * DAY, 1, S2),
    (E5, BEGIN + 3 * DAY, BEGIN + 3 * DAY, 1, E5),
    (E6, BEGIN + 3 * DAY + 60_000, BEGIN + 3 * DAY + 60_000, 1, E6),
]


def sent(eid: str, after: int, headers: dict[str, str], says: dict[str, str]):
    """One page view, a second on its way, from a browser that has the collector's cookie."""
    at = str(BEGIN + after)
    view = {
        "e": "pv",
        "p": "web",
        "aid": "dev",
        "eid": eid,
        "dtm": at,
        "stm": at,
        "url": "https://www.acme.com/",
    } | says
    path, arrival = "/com.snowplowanalytics.snowplow/tp2", BEGIN + after + 1000
    given = request(path, source=DEV, received_at=arrival, headers=headers, network_id="net")
    parsed = events_of(json.dumps({"schema": "", "data": [view]}).encode(), given)
    assert (parsed.fault, parsed.rejected) == (None, [])
    return parsed.events


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("order", [1, -1])
def test_an_anonymous_visit_is_its_session_and_joins_no_other(partitions: int, order: int) -> None:
    stage = Stage(partitions)
    for one in SENT[::order]:
        stage.put(sent(*one))
    stage.put(sent(*SENT[1]))  # a repeat counts once
    stage.run()
    rows = sorted(stage.table("sessions").values(), key=lambda row: row["started_at"])
    found = [
        (row["visitor_id"], row["started_at"], row["ended_at"], row["page_views"], row["person_id"]) for row in rows
    ]
    assert found == [(v, s + 1000, e + 1000, n, p) for v, s, e, n, p in EXPECTED]
    assert {row["account_id"] for row in rows} == {""}
