"""CRM rows, costs, the pixel and signed webhooks arrive over HTTP as events."""

import json
import time

import pytest
import requests

from tests.e2e.checks import once, properties
from tests.e2e.landing import Landing
from tests.support.webhooks import EMAIL_SENDERS, SENDERS, Signed


def test_crm_rows_and_costs_arrive_and_need_a_key(landing: Landing) -> None:
    rows = {
        "crm/accounts": [{"id": "acme", "domain": "acme.com"}],
        "crm/contacts": [{"id": "c1", "email": "ann@acme.com", "account_id": "acme"}, {"id": "c2"}],
        "crm/opportunities": [
            {"id": "o1", "account_id": "acme", "stage": "Closed Won", "amount": 10, "currency": "EUR"}
        ],
        "crm/activities": [{"id": "t1", "type": "meeting", "email": "ann@acme.com"}],
        "costs": [{"date": "2026-01-01", "amount": 5, "currency": "EUR", "utm_source": "google"}],
        "fx": [{"date": "2026-01-01", "from": "EUR", "to": "USD", "rate": 1.08}, {"date": "2026-01-01", "rate": 1.08}],
    }
    for path, objects in rows.items():
        url = f"{landing.url}/v1/{path}"
        assert requests.post(url, json=objects, timeout=10).status_code == 401
        assert requests.post(url, json=objects, auth=("other", ""), timeout=10).status_code == 401
        lines = "\n".join(map(json.dumps, objects))
        assert requests.post(url, data=lines, auth=("dev", ""), timeout=10).status_code == 200
    found = once(landing.delivered(6), 6)
    assert sorted(found) == ["cost", "crm.account", "crm.activitymeeting", "crm.contact", "crm.opportunity", "fx"]
    assert properties(found["crm.opportunity"])["stage"] == "won"
    assert properties(found["cost"])["utm_source"] == "google"


def test_the_pixel_is_an_image_and_an_event(landing: Landing) -> None:
    answer = requests.get(
        f"{landing.url}/px.gif?key=dev&visitor=v1", headers={"Referer": "https://www.example.com/a"}, timeout=10
    )
    assert (answer.status_code, answer.headers["Content-Type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")
    (event,) = landing.delivered(1)
    assert (event.type, event.node, event.url) == ("page", "v:v1", "https://www.example.com/a")


def post(landing: Landing, name: str, signed: Signed) -> int:
    url = landing.url + SENDERS[name].path + f"?{signed.query}"
    return requests.post(url, data=signed.body, headers=signed.headers, timeout=10).status_code


def test_only_what_the_providers_signed_arrives(landing: Landing) -> None:
    for name, sender in SENDERS.items():
        signed = sender.sign(sender.click, int(time.time()))
        assert post(landing, name, Signed(b"{}", {})) == 401
        assert post(landing, name, Signed(signed.body, {"authorization": "Basic eDp5"}, "token=x")) in {
            401,
            200 if name == "mailgun" else 401,
        }
        assert requests.post(f"{landing.url}{sender.path}x", data=signed.body, timeout=10).status_code == 404
    assert [row.protocol for row in landing.delivered(1)] == ["mailgun"]
    figures = requests.get(f"{landing.url}/metrics", timeout=10).text
    for name in SENDERS:
        assert f'provider="{name}",reason="bad_signature"' in figures


@pytest.mark.parametrize("name", EMAIL_SENDERS)
def test_a_click_delivered_five_times_is_one_row_and_one_touch_of_the_known_company(
    landing: Landing, name: str
) -> None:
    click = json.loads(json.dumps(SENDERS[name].click).replace("m-1", f"e2e-{name}").replace("c2ctZX", "again-"))
    signed = SENDERS[name].sign(click, int(time.time()))
    assert [post(landing, name, signed) for _ in range(5)] == [200] * 5
    (row,) = landing.delivered(1)
    assert (row.name, row.node, row.source, row.protocol) == ("clicked", "e:ann@acme.com", "main", name)
    # Her domain's own account, or the one that a CRM object of another test has given the domain to.
    assert (row.person_id, row.account_id in {"acme.com", "acme"}) == ("ann@acme.com", True)
    mails = landing.machine.rows(f"SELECT event, recipient, campaign FROM v_email WHERE message_id = 'e2e-{name}'")
    assert mails == [{"event": "clicked", "recipient": "ann@acme.com", "campaign": "spring"}]
    touches = landing.machine.rows(f"SELECT type, person_id FROM v_touches WHERE event_id = '{row.event_id}'")
    assert touches == [{"type": "email_click", "person_id": "ann@acme.com"}]


def test_who_refused_analytics_is_counted_and_not_known(landing: Landing) -> None:
    page = {"url": "https://www.example.com/pricing?utm_source=news&gclid=G77", "title": "Pricing"}
    call = {"type": "page", "anonymousId": "private-1", "userId": "private-2", "messageId": "refused-1"}
    call["context"] = {"page": page, "consent": {"categoryPreferences": {"Analytics": False}}, "locale": "de-AT"}
    for _ in range(2):
        assert requests.post(f"{landing.url}/v1/batch", json={"batch": [call]}, auth=("dev", ""), timeout=10).ok
    (row,) = landing.delivered(1)
    assert (row.event_id, row.path, row.utm_source, row.title) == ("refused-1", "/pricing", "news", "Pricing")
    assert not any(told in repr(row) for told in ("private-1", "private-2", "G77", "de-AT"))
    assert row.person_id == row.visitor_id


def test_an_id_that_the_rules_block_is_nobodys(landing: Landing) -> None:
    calls = [
        {"type": "page", "anonymousId": "kiosk", "userId": "u1", "messageId": "blocked-1"},
        {"type": "page", "anonymousId": "kiosk", "messageId": "blocked-2"},
    ]
    assert requests.post(f"{landing.url}/v1/batch", json={"batch": calls}, auth=("dev", ""), timeout=10).ok
    (row,) = landing.delivered(1)
    assert (row.event_id, row.node, row.visitor_id, row.person_id) == ("blocked-1", "u:u1", "", "ann@acme.com")
    letters = landing.machine.rows("SELECT reason, bytes FROM v_dead_letters WHERE position(bytes, 'blocked-2') > 0")
    assert [letter["reason"] for letter in letters] == ["missing_field"]
