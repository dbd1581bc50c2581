"""Operators as they work: a key in touchline.toml, the command, the HTTP interface; and the log still says the same."""

import json
import time
import urllib.error
import urllib.request

import pytest

from tests.support.machine import Machine

KEY = "an-operators-key-of-some-length"
CONFIG = f"""
[[sources]]
name = "website"
key = "dev"

[[operators]]
name = "ops"
key = "{KEY}"
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    (folder / "touchline.toml").write_text(CONFIG)
    found = Machine(folder / "data", config=str(folder / "touchline.toml"))
    found.start()
    yield found
    found.stop()


def call(machine, *arguments):
    done = machine.touchline("identity", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(found, wanted, patience_s=30):
    deadline = time.monotonic() + patience_s
    while found() != wanted:
        assert time.monotonic() < deadline, (found(), wanted)
        time.sleep(0.2)


def owners(machine):
    return sorted({r["account_id"] for r in machine.rows("SELECT account_id FROM v_touches")})


def credit(machine):
    query = "SELECT account_id, model, sum(credit) AS c FROM v_ledger GROUP BY ALL HAVING c != 0 ORDER BY ALL"
    return [(r["account_id"], r["model"]) for r in machine.rows(query)]


def test_a_link_moves_the_journey_and_its_retraction_brings_it_back(machine):
    for path, body in (
        ("page", {"anonymousId": "v1", "messageId": "p", "context": {"page": {"url": "https://x.example/"}}}),
        ("identify", {"anonymousId": "v1", "userId": "7", "messageId": "i", "traits": {"email": "ann@acme-corp.com"}}),
        ("track", {"anonymousId": "v1", "userId": "7", "messageId": "t", "event": "Demo Requested"}),
    ):
        machine.post(f"/v1/{path}", json.dumps(body).encode())
    until(lambda: owners(machine), ["acme-corp.com"])
    until(lambda: len(credit(machine)), 6)
    before = credit(machine)

    predicted = json.loads(call(machine, "preview", "link", "user:7", "account:beta"))
    assert [(m["from"], m["to"], m["touches"], m["conversions"]) for m in predicted["moves"]] == [
        ("acme-corp.com", "beta", 2, 1)
    ]
    assert owners(machine) == ["acme-corp.com"]

    said = call(machine, "link", "user:7", "account:beta", "--reason", "told on the 'phone'")
    until(lambda: owners(machine), ["beta"])
    until(lambda: {account for account, _ in credit(machine)}, {"beta"})

    found = json.loads(call(machine, "explain", "visitor:v1"))
    assert (found["account"], found["person"]) == ("account:beta", "email:ann@acme-corp.com")
    decided = next(s for s in found["steps"] if s["as"] == "account")["because"]
    assert (decided["source"], decided["said_by"], decided["reason"]) == ("operator", "ops", "told on the 'phone'")

    touch = machine.rows("SELECT touch_id FROM v_touches WHERE type = 'form'")[0]["touch_id"]
    assert json.loads(call(machine, "explain", f"touch:{touch}"))["account_id"] == "beta"

    call(machine, "unlink", said.split()[1])
    until(lambda: owners(machine), ["acme-corp.com"])
    until(lambda: credit(machine), before)
    changes = machine.rows(
        "SELECT account_before, account_after FROM v_identity_changes WHERE node = 'v:v1' AND account_after != ''"
        " ORDER BY changed_at"
    )
    assert [(c["account_before"], c["account_after"]) for c in changes] == [
        ("", "acme-corp.com"), ("acme-corp.com", "beta"), ("beta", "acme-corp.com"),
    ]  # fmt: skip


def test_merge_and_unmerge_by_the_names_of_the_accounts(machine):
    body = {"userId": "8", "anonymousId": "v2", "groupId": "old", "messageId": "g"}
    body |= {"context": {"page": {"url": "https://x.example/app"}}}
    machine.post("/v1/group", json.dumps(body).encode())
    until(lambda: "old" in owners(machine), True)
    call(machine, "merge", "account:old", "account:new")
    until(lambda: "new" in owners(machine), True)
    call(machine, "unmerge", "account:old", "account:new")
    until(lambda: "old" in owners(machine), True)


def asked(machine, path, key, method="GET", body=None):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(machine.url + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_nobody_without_an_operators_key_may_ask_or_say_anything(machine):
    for key in ("", "dev", KEY + "x"):
        assert asked(machine, "/v1/identity/user:7", key)[0] == 401
        assert asked(machine, "/v1/identity/links", key, "POST", b'{"child":"user:7","parent":"account:x"}')[0] == 401
    assert asked(machine, "/v1/identity/user%3A7", KEY)[0] == 200


def test_a_useless_question_is_answered_with_what_to_do(machine):
    status, found = asked(machine, "/v1/identity/links", KEY, "POST", b'{"child":"account:1","parent":"account:2"}')
    assert (status, found["error"]["reason"]) == (400, "bad_value")
    assert "merge" in found["error"]["detail"]
    assert asked(machine, "/v1/identity/links", KEY, "POST", b"{")[0] == 400
    assert asked(machine, "/v1/identity/links/nothing-like-it", KEY, "DELETE")[0] == 404
    assert asked(machine, "/v1/identity/links?child=visitor:v1&parent=user:7", KEY, "DELETE")[0] == 409
    assert asked(machine, "/v1/identity/touch:none", KEY)[0] == 404


def test_what_operators_said_is_part_of_the_log(machine):
    done = machine.touchline("verify")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_crm_claim_is_taken_back_by_the_id_that_people_see(machine):
    account = [{"id": "crm-9", "name": "Nine", "domains": ["acme-corp.com"]}]
    machine.post("/v1/crm/accounts", json.dumps(account).encode())
    until(lambda: owners(machine)[0], "crm-9")
    (claim,) = machine.rows("SELECT claim_id FROM v_identity_claims WHERE source = 'crm.account' AND live")
    call(machine, "unlink", claim["claim_id"])
    until(lambda: owners(machine)[0], "acme-corp.com")
    assert machine.touchline("verify").returncode == 0


def test_a_merge_of_accounts_that_nobody_has_seen_is_booked_with_a_warning(machine):
    body = b'{"loser":"account:nope","winner":"account:alsonope"}'
    status, found = asked(machine, "/v1/identity/merges", KEY, "POST", body)
    assert (status, [said["type"] for said in found["said"]]) == (200, ["identity.merge"])
    assert found["warnings"] == [
        f"nothing is known of account:{name} yet: it counts once something is" for name in ("nope", "alsonope")
    ]
