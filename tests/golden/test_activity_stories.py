"""Meetings that the CRM changes, from its rows to the credit. Every expected value was worked out by hand."""

import json
from decimal import Decimal

from stream.collect.adapters import crm
from tests.support.both_stages import in_many_orders
from tests.support.events import DAY, T0, page
from tests.unit.collect_edge.requests import DEV, request

BOSCH, SIEMENS = ("bosch.com", "m7@bosch.com"), ("siemens.com", "other@siemens.com")


def row(path, at, received=None, **said):
    """A version as of day ``at``, received on that day unless ``received`` says when."""
    body = json.dumps(said | {"updated_at": T0 + at * DAY}).encode()
    received_at = T0 + (at if received is None else received) * DAY
    return crm.events_of(body, request(f"/v1/crm/{path}", source=DEV, received_at=received_at)).events


def m7(at, received=None, **said):
    meeting = {"id": "m7", "type": "meeting", "email": "m7@bosch.com", "occurred_at": T0 + 2 * DAY}
    return row("activities", at, received, **meeting | said)


def deals():
    """Bosch and Siemens each pay 900.00 on day 20, Bosch has also looked at the site on day 1."""
    visit = page("p", DAY, "v", user="u", email="ann@bosch.com", received_at=T0 + DAY)
    won = {"stage": "won", "amount": "900.00", "currency": "EUR"}
    bosch = row("opportunities", 20, id="ob", contact_emails=["ann@bosch.com"], **won)
    return [visit, *bosch, *row("opportunities", 20, id="os", contact_emails=["other@siemens.com"], **won)]


UNATTRIBUTED = {("siemens.com", 20): 2}
"""What was sold without any touch, on the day that it was sold."""
VISIT = (DAY, "bosch.com", "ann@bosch.com")


def all_say(events, *touches, credit):
    """Both deals have two conversions (open and won), so each deal's shares add up to 2."""
    for found in in_many_orders([*deals(), *events]):
        assert found.touches() == sorted([VISIT, *touches])
        assert found.credit() == {(who, day * DAY): Decimal(share) for (who, day), share in credit.items()}


def test_a_meeting_whose_contact_changes_is_one_touch_and_its_credit_moves_along():
    held = m7(3)
    all_say(held, (2 * DAY, *BOSCH), credit={("bosch.com", 1): 1, ("bosch.com", 2): 1} | UNATTRIBUTED)
    moved = m7(4, email="other@siemens.com")
    all_say([*held, *moved], (2 * DAY, *SIEMENS), credit={("bosch.com", 1): 2, ("siemens.com", 2): 2})


def test_a_meeting_that_was_moved_is_one_touch_on_its_new_day():
    events = [*m7(3), *m7(9, occurred_at=T0 + 8 * DAY)]
    all_say(events, (8 * DAY, *BOSCH), credit={("bosch.com", 1): 1, ("bosch.com", 8): 1} | UNATTRIBUTED)


def test_a_meeting_that_was_deleted_is_none():
    all_say([*m7(3), *m7(5, deleted=True)], credit={("bosch.com", 1): 2} | UNATTRIBUTED)
    all_say([*m7(3), *row("activities", 5, id="m7", deleted=True)], credit={("bosch.com", 1): 2} | UNATTRIBUTED)


def test_a_planned_meeting_counts_once_it_was_held():
    planned = m7(1, occurred_at=T0 + 8 * DAY)
    all_say(planned, credit={("bosch.com", 1): 2} | UNATTRIBUTED)
    # The nightly sync sends it again, unchanged.
    again = m7(1, received=9, occurred_at=T0 + 8 * DAY)
    all_say([*planned, *again], (8 * DAY, *BOSCH), credit={("bosch.com", 1): 1, ("bosch.com", 8): 1} | UNATTRIBUTED)
    cancelled = m7(7, occurred_at=T0 + 8 * DAY, status="Canceled")
    all_say([*planned, *cancelled, *again], credit={("bosch.com", 1): 2} | UNATTRIBUTED)


def test_a_call_with_a_contact_by_its_id_is_the_persons_and_moves_with_the_address():
    called = row("activities", 3, id="m7", type="call", contact_id="00Q1", account_id="", occurred_at=T0 + 2 * DAY)
    # Whom the id stands for may come before the call or after it.
    lead = row("contacts", 4, id="00Q1", email="m7@bosch.com")
    all_say([*called, *lead], (2 * DAY, *BOSCH), credit={("bosch.com", 1): 1, ("bosch.com", 2): 1} | UNATTRIBUTED)
    # The lead is converted to a contact of Siemens's account with that address, and is on that account, too.
    contact = row("contacts", 5, id="0031", email="m7@bosch.com", account_id="siemens")
    converted = row("contacts", 5, id="00Q1", email="m7@bosch.com", account_id="siemens")
    account = row("accounts", 1, id="siemens", domain="siemens.com")
    found = [*called, *contact, *converted, *account]
    for told in in_many_orders([*deals(), *found]):
        assert (2 * DAY, "siemens", "m7@bosch.com") in told.touches()


def test_what_a_converted_leads_address_does_after_its_contact_left_is_not_the_new_employers():
    visits = [
        page(f"p{day}", day * DAY, f"v{day}", user=f"u{day}", email="ann@bosch.com", received_at=T0 + day * DAY)
        for day in (5, 15)
    ]
    accounts = [
        *row("accounts", 1, id="bosch", domain="bosch.com"),
        *row("accounts", 1, id="siemens", domain="siemens.com"),
    ]
    lead = row("contacts", 2, id="00Q1", email="ann@bosch.com", account_id="bosch")
    contact = row("contacts", 2, id="0031", email="ann@bosch.com", account_id="bosch")
    left = row("contacts", 10, id="0031", email="ann@siemens.com", account_id="siemens")
    for told in in_many_orders([*accounts, *lead, *contact, *left, *visits]):
        assert told.touches() == [(day * DAY, "bosch", "ann@bosch.com") for day in (5, 15)]
