"""Key figures of emails on the real engine, worked out by hand.

Campaign ``spring``, one day, ten recipients a to j, one message ``s`` for all:

=== ============================================================================================
a   sent, delivered, opened, opened again, clicked twice
b   sent, delivered, opened by a machine (Apple), then by b
c   sent, delivered, opened by a machine only, clicked by a machine only (both told by the whole message)
d   sent, delivered, clicked with images off: no open
e   sent, delivered, opened, unsubscribed
f   sent, delivered, opened by a machine, complained
g   sent, delivered, replied; an out-of-office reply, too
h   sent, bounced
i   delivered; the provider does not report sending
j   rejected: not sent at all
=== ============================================================================================

sent 9 (a to i); delivered 8 (a to g, i); bounced 1 (h); opened 3 (a, b, e), with machines 5 (and c, f); clicked 2 (a, d),
with machines 3 (and c); replied 1; unsubscribed 1; complained 1.
"""

import pytest

from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put

T0 = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC."""
DAY = 86_400_000
FIGURES = (
    "mails, sent, delivered, bounced, opened, opened_with_machines, clicked, clicked_with_machines, replied, unsubscribed,"
    " complained"
)
RATES = (
    "delivery_rate, bounce_rate, open_rate, open_rate_with_machines, click_rate, click_rate_with_machines,"
    " click_to_open_rate, click_to_open_rate_with_machines, unsubscribe_rate, complaint_rate"
)
SPRING = (10, 9, 8, 1, 3, 5, 2, 3, 1, 1, 1)
SPRING_RATES = (8 / 9, 1 / 9, 3 / 8, 5 / 8, 2 / 8, 3 / 8, 2 / 3, 3 / 5, 1 / 8, 1 / 8)
STORY = {
    "a": "sent delivered opened opened clicked clicked",
    "b": "sent delivered opened! opened",
    "c": "sent delivered opened? clicked?",
    "d": "sent delivered clicked",
    "e": "sent delivered opened unsubscribed",
    "f": "sent delivered opened! complained",
    "g": "sent delivered replied replied!",
    "h": "sent bounced",
    "i": "delivered",
    "j": "rejected",
}
"""``!``: the event says alone that it is a machine's; ``?``: the message does."""


def send(
    database: ClickHouse, message: str, campaign: str, story: dict[str, str], *, at: int = T0, offset: int = 1
) -> None:
    rows, verdicts = [], []
    for who, happened in story.items():
        for word in happened.split():
            row = {
                "event_id": f"{message}{len(rows)}", "message_id": message, "recipient": f"{who}@x.com", "node": f"e:{who}@x.com",
                "campaign": campaign, "event": word.rstrip("!?"), "occurred_at": at + len(rows), "is_machine": word.endswith("!"),
                "_o": offset, "_i": len(rows),
            }  # fmt: skip
            if word.endswith("?"):
                told = {"row_p": 0, "row_o": offset, "row_i": len(rows), "version": offset}
                verdicts.append(told | {"is_machine": True, "reason": "links+delivery"})
            rows.append(row)
    put(database, "email", *rows)
    if verdicts:
        put(database, "email_verdicts", *verdicts)


def test_key_figures_of_a_campaign_with_and_without_machines(database: ClickHouse) -> None:
    send(database, "s", "spring", STORY)
    assert database.rows(f"SELECT campaign, {FIGURES} FROM kpi_email_by_campaign") == [("spring", *SPRING)]
    (rates,) = database.rows(f"SELECT {RATES} FROM kpi_email_by_campaign")
    assert rates == pytest.approx(SPRING_RATES)


def test_the_same_by_day_belongs_to_the_day_of_the_mail(database: ClickHouse) -> None:
    send(database, "s", "spring", STORY)
    # Sent the day after; opened and clicked three days later, which is that mail's, too.
    send(database, "t", "spring", {"a": "sent delivered"}, at=T0 + DAY, offset=2)
    send(database, "t", "spring", {"a": "opened clicked"}, at=T0 + 4 * DAY, offset=3)
    rows = database.rows(f"SELECT toString(day), {FIGURES} FROM kpi_email_by_day ORDER BY day")
    assert rows == [("2026-09-21", *SPRING), ("2026-09-22", 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0)]
    both = tuple(one + two for one, two in zip(rows[0][1:], rows[1][1:], strict=True))
    assert database.rows(f"SELECT {FIGURES} FROM kpi_email_by_campaign") == [both]


def test_the_same_by_message(database: ClickHouse) -> None:
    send(database, "s", "spring", STORY)
    send(database, "t", "spring", {"a": "sent bounced"}, offset=2)
    rows = database.rows(f"SELECT message_id, campaign, {FIGURES} FROM kpi_email_by_message ORDER BY message_id")
    assert rows == [("s", "spring", *SPRING), ("t", "spring", 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0)]
    (rates,) = database.rows(f"SELECT {RATES} FROM kpi_email_by_message WHERE message_id = 't'")
    assert rates == (0, 1, None, None, None, None, None, None, None, None)  # nothing was delivered


def test_a_verdict_that_changes_changes_the_figures(database: ClickHouse) -> None:
    send(database, "s", "spring", STORY)
    number = [word for happened in STORY.values() for word in happened.split()].index("clicked?")
    told = {"row_p": 0, "row_o": 1, "row_i": number, "version": 9, "is_machine": False}
    put(database, "email_verdicts", told)
    question = "SELECT clicked, clicked_with_machines, opened FROM kpi_email_by_campaign"
    assert database.rows(question) == [(3, 3, 3)]


def test_a_mail_is_a_message_and_its_recipient_and_without_an_id_a_campaign_and_its_recipient(
    database: ClickHouse,
) -> None:
    mail = {"event": "delivered", "message_id": "m", "occurred_at": T0}
    put(
        database, "email",
        mail | {"node": "u:7", "campaign": "a"},
        mail | {"node": "u:8", "campaign": "a"},
        mail | {"node": "u:8", "event": "opened"},  # names no campaign: the mail has one
        mail | {"node": "u:8", "message_id": "", "campaign": "a"},
        mail | {"node": "u:8", "message_id": "", "campaign": "b"},
        mail | {"node": "u:8", "message_id": "", "campaign": "b", "event": "opened"},
        mail | {"node": "u:8", "tenant": "other", "campaign": "a"},
        mail | {"recipient": "old@x.com", "tenant": "before", "campaign": "a"},  # from before rows had a node
        mail | {"node": "e:old@x.com", "recipient": "old@x.com", "tenant": "before", "event": "opened"},
    )  # fmt: skip
    rows = database.rows("SELECT tenant, campaign, delivered, opened FROM kpi_email_by_campaign ORDER BY 1, 2")
    assert rows == [("before", "a", 1, 1), ("default", "a", 3, 1), ("default", "b", 1, 1), ("other", "a", 1, 0)]
