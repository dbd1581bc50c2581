"""A scanner that opens and clicks everything, and the reader after it. All numbers were worked out by hand.

ann@corp.example gets the mail m1, and the news of its delivery comes last:

======== ============= ==============================================================================
1.0 s    opened        by the scanner: within 2 s of the three links, 1 s after delivery
1.5 s    clicked a     by the scanner, which calls itself a browser
1.9 s    clicked b     likewise
2.3 s    clicked c     likewise: the third link within 0.8 s, the first signal for all four
1:00:00  opened        by Ann
1:00:10  clicked b     by Ann
2:00:00  Demo Requested on the site: a session, a form, a lead
0.0 s    delivered     comes late: the second signal
======== ============= ==============================================================================

Until then the lead's linear credit is shared by six touches, then by three.
"""

from decimal import Decimal

import msgspec

from tests.support.both_stages import Outcome, outcome
from tests.support.events import email, track

HOUR = 3_600_000
ACCOUNT = "corp.example"


def mail(id_: str, at: int, name: str, link: str = ""):
    said = {"message_id": "m1", "campaign": "spring"} | ({"url": f"https://www.acme.com/{link}"} if link else {})
    return email(id_, at, name, "ann@corp.example", properties=said, protocol="postmark")


HEARD = [
    mail("o1", 1000, "opened"),
    mail("c1", 1500, "clicked", "a"),
    mail("c2", 1900, "clicked", "b"),
    mail("c3", 2300, "clicked", "c"),
    mail("o2", HOUR, "opened"),
    mail("c4", HOUR + 10_000, "clicked", "b"),
    track("demo", 2 * HOUR, "Demo Requested", user="7", email="ann@corp.example"),
]
LATE = mail("d", 0, "delivered")


def machines(found: Outcome) -> dict[str, str]:
    rows = [msgspec.json.decode(row) for row in found.tables["email"]]
    assert all(row["is_machine"] == (row["reason"] != "") for row in rows)
    return {row["event_id"]: row["reason"] for row in rows if row["is_machine"]}


def points(found: Outcome) -> float:
    return sum(touch["points"] for touch in found.tables["touches"].values())


def rounded(found: Outcome) -> dict[int, Decimal]:
    assert {account for account, _ in found.credit()} == {ACCOUNT}
    return {at: credit.quantize(Decimal("0.00001")) for (_, at), credit in found.credit().items()}


def test_until_the_second_signal_everything_is_anns() -> None:
    found = outcome(HEARD)
    assert machines(found) == {}
    assert points(found) == 4 * 3 + 30
    sixth = Decimal("0.16667")
    assert rounded(found) == {
        1500: sixth, 1900: sixth, 2300: sixth, HOUR + 10_000: sixth,
        2 * HOUR: Decimal("0.33333"),  # the session and the form
    }  # fmt: skip


def test_the_second_signal_takes_the_scanners_clicks_away_and_leaves_anns() -> None:
    for found in (outcome(HEARD, [LATE]), outcome([LATE], HEARD), outcome(HEARD[::-1], [LATE, *HEARD])):
        why = "links+delivery"
        assert machines(found) == {"o1": why, "c1": why, "c2": why, "c3": why}
        assert points(found) == 3 + 30
        assert rounded(found) == {HOUR + 10_000: Decimal("0.33333"), 2 * HOUR: Decimal("0.66667")}
        assert sum(found.credit().values()) == 1
        (account,) = found.tables["accounts"].values()
        assert (account["touches"], account["people"]) == (3, 1)
