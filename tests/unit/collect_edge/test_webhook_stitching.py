"""What a stage makes of webhooks: repeats and disorder change nothing, and each event is whose it is known to be."""

import random

import msgspec
import pytest

from schemas.event import Event
from tests.support.stitch import Stage
from tests.support.webhooks import AT_MS, EMAIL_SENDERS, SENDERS, URL
from tests.unit.collect_edge.deliveries import merged, only

ANN, BOB, EVE, JOE = "ann@acme.com", "bob@acme.com", "eve@globex.com", "joe@gmail.com"


def staged(*frames: list[Event], partitions: int = 2) -> Stage:
    stage = Stage(partitions)
    for frame in frames:
        stage.put(frame)
    return stage.run()


@pytest.mark.parametrize("name", EMAIL_SENDERS)
def test_a_webhook_delivered_five_times_and_out_of_order_is_one_row_and_one_touch(name):
    click = only(name, SENDERS[name].click)
    opening = {
        "sendgrid": {"event": "open", "sg_event_id": "o"}, "mailgun": {"event": "opened"}, "postmark": {"RecordType": "Open"},
        "ses": {"eventType": "Open", "open": {"timestamp": "2026-01-02T03:00:05Z"}}, "mandrill": {"event": "open"},
        "resend": {"type": "email.opened"}, "brevo": {"event": "opened"},
    }[name]  # fmt: skip
    opened = only(name, merged(SENDERS[name].click, opening))
    for seed in range(5):
        deliveries = [click] * 5 + [opened] * 5
        random.Random(seed).shuffle(deliveries)
        stage = staged(*([event] for event in deliveries))
        rows = sorted((row["event"], row["recipient"], row["message_id"]) for row in stage.rows["email"])
        assert rows == [("clicked", ANN, "m-1"), ("opened", ANN, "m-1")]
        ((account, touches),) = stage.touches.items()
        (touch,) = touches.values()
        assert (account, touch.type, touch.person, touch.at, touch.utm_campaign) == (
            "acme/d:acme.com", "email_click", f"acme/e:{ANN}", AT_MS, "spring",
        )  # fmt: skip


def ses_click(*people: str) -> Event:
    return only("ses", merged(SENDERS["ses"].click, {"mail": {"destination": list(people)}}))


def test_a_click_of_one_of_several_colleagues_is_the_companys_touch_and_nobodys():
    stage = staged([ses_click(ANN, BOB)])
    (touch,) = stage.touches["acme/d:acme.com"].values()
    assert (touch.type, touch.person) == ("email_click", "")
    (row,) = stage.rows["email"]
    assert (row["recipient"], row["url"]) == ("", URL)


def test_it_moves_with_the_company():
    claim = Event(
        id="c", node="acme/a:A1", type="crm.account", at=AT_MS, received_at=AT_MS, tenant="acme", group="A1", platform="server",
        properties=msgspec.Raw(b'{"id":"A1","domains":["acme.com"]}'),
    )  # fmt: skip
    for frames in ([[ses_click(ANN, BOB)], [claim]], [[claim], [ses_click(ANN, BOB)]]):
        stage = staged(*frames)
        assert {account: len(found) for account, found in stage.touches.items() if found} == {"acme/a:A1": 1}


@pytest.mark.parametrize("people", [(ANN, EVE), (ANN, JOE), (JOE, "jim@gmail.com")])
def test_a_click_of_one_of_several_strangers_is_a_row_and_nobodys_touch(people):
    stage = staged([ses_click(*people)])
    assert not any(stage.touches.values())
    assert len(stage.rows["email"]) == 1
    assert all(touch["person_id"] == touch["account_id"] == "" for touch in stage.table("touches").values())


def test_what_a_machine_clicked_is_a_row_and_no_touch():
    scanned = only("mandrill", merged(SENDERS["mandrill"].click, {"user_agent": "Barracuda Sentinel (EE)"}))
    stage = staged([scanned])
    assert [(row["is_machine"], row["reason"]) for row in stage.rows["email"]] == [(True, "barracuda")]
    assert not any(stage.touches.values())
