"""Operators as they work: a key in touchline.toml, the command, the HTTP interface; and the log still says the same."""

import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
import schemathesis

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
        status, found = asked(machine, "/v1/identity/user:7", key)
        assert (status, "when the collector started" in found["error"]["detail"]) == (401, True)
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


def visit(machine, visitor, address):
    who = {"anonymousId": visitor, "userId": visitor}
    page = {"type": "page", "messageId": f"page {visitor}", "context": {"page": {"url": "https://x.example/"}}}
    send_calls(machine, [page | who, {"type": "identify", "messageId": visitor, "traits": {"email": address}} | who])


def send_contacts(machine, *contacts):
    machine.post("/v1/crm/contacts", json.dumps(contacts).encode())


def live_claims(machine, node):
    query = f"SELECT claim_id FROM v_identity_claims WHERE node = '{node}' AND live ORDER BY claim_id"
    return [row["claim_id"] for row in machine.rows(query)]


def test_a_crm_claim_is_taken_back_by_the_id_that_people_see(machine):
    account = [{"id": "crm-9", "name": "Nine", "domains": ["acme-corp.com"]}]
    machine.post("/v1/crm/accounts", json.dumps(account).encode())
    until(lambda: owners(machine)[0], "crm-9")
    (claim,) = machine.rows("SELECT claim_id FROM v_identity_claims WHERE source = 'crm.account' AND live")
    call(machine, "unlink", claim["claim_id"])
    until(lambda: owners(machine)[0], "acme-corp.com")
    assert machine.touchline("verify").returncode == 0


def test_a_crm_claim_is_taken_back_also_by_the_id_that_an_older_version_replaced(machine):
    visit(machine, "v10", "ten@ten-corp.com")
    account = {"id": "crm-10", "domains": ["ten-corp.com"]}
    machine.post("/v1/crm/accounts", json.dumps(account | {"updated_at": "2026-02-01T00:00:00Z"}).encode())
    until(lambda: live_claims(machine, "d:ten-corp.com"), ["default/a:crm-10 #00000000"])
    machine.post("/v1/crm/accounts", json.dumps(account | {"updated_at": "2026-01-01T00:00:00Z"}).encode())
    until(lambda: live_claims(machine, "d:ten-corp.com"), ["default/a:crm-10 #00000001"])
    until(lambda: "crm-10" in owners(machine), True)

    predicted = json.loads(call(machine, "preview", "unlink", "default/a:crm-10 #00000000"))
    assert [(m["from"], m["to"], m["touches"]) for m in predicted["moves"]] == [("crm-10", "ten-corp.com", 1)]
    call(machine, "unlink", "default/a:crm-10 #00000000")
    until(lambda: "crm-10" in owners(machine), False)
    until(lambda: live_claims(machine, "d:ten-corp.com"), [])
    assert asked(machine, "/v1/identity/links/default%2Fa:crm-10%20%2300000000", KEY, "DELETE")[0] == 404


def test_an_id_that_two_contacts_had_is_ambiguous_also_if_an_older_version_replaced_one_of_them(machine):
    contacts = [{"id": f"two{n}", "email": f"two{n}@two-corp.com", "account_id": "two"} for n in range(2)]
    send_contacts(machine, *(contact | {"updated_at": "2026-02-01T00:00:00Z"} for contact in contacts))
    send_contacts(machine, contacts[0] | {"updated_at": "2026-01-01T00:00:00Z"})
    until(
        lambda: ["#" + c.split("#")[1] for c in live_claims(machine, "u:contact:two0") if c.startswith("crm.contact")],
        ["#00000002"],
    )
    claim = "crm.contact%20default%2Fa:two%20%2300000000"
    status, found = asked(machine, f"/v1/identity/links/{claim}", KEY, "DELETE")
    assert (status, found["error"]["reason"]) == (409, "ambiguous")
    assert asked(machine, f"/v1/identity/links/{claim}?child=user:contact:two0", KEY, "DELETE")[0] == 200
    until(lambda: [c for c in live_claims(machine, "u:contact:two0") if c.startswith("crm.contact")], [])


@pytest.mark.parametrize(("name", "circle"), [("line", False), ("ring", True)])
def test_a_preview_counts_what_goes_with_the_address_of_a_merged_contact_that_is_on_no_account(machine, name, circle):
    visit(machine, f"v-{name}", f"ann@{name}-corp.com")
    first, second, heir = f"{name}-1", f"{name}-2", f"{name}-account"
    back = [{"id": second, "merged_into": first, "updated_at": "2026-01-03T00:00:00Z"}] if circle else []
    send_contacts(
        machine,
        {"id": first, "email": f"ann@{name}-corp.com", "merged_into": second, "updated_at": "2026-01-02T00:00:00Z"},
        {"id": second, "email": f"eve@{name}-corp.com", "account_id": heir, "updated_at": "2026-01-01T00:00:00Z"},
        *back,
    )
    until(lambda: heir in owners(machine), True)
    # In a circle its own comes back beside the other one's, and that it is this contact's own is said, too.
    links = ["crm.contact", "crm.merge", "crm.merge", "trait"] if circle else ["trait"]
    until(lambda: [claim.split()[0] for claim in live_claims(machine, f"u:contact:{first}")], links)

    unlink = ("unlink", live_claims(machine, f"u:contact:{first}")[-1], "--child", f"user:contact:{first}")
    predicted = json.loads(call(machine, "preview", *unlink))
    assert [(m["from"], m["to"], m["touches"]) for m in predicted["moves"]] == [(heir, f"{name}-corp.com", 1)]
    call(machine, *unlink)
    until(lambda: heir in owners(machine), False)
    assert f"{name}-corp.com" in owners(machine)


def test_a_merge_of_accounts_that_nobody_has_seen_is_booked_with_a_warning(machine):
    body = b'{"loser":"account:nope","winner":"account:alsonope"}'
    status, found = asked(machine, "/v1/identity/merges", KEY, "POST", body)
    assert (status, [said["type"] for said in found["said"]]) == (200, ["identity.merge"])
    assert found["warnings"] == [
        f"nothing is known of account:{name} yet: it counts once something is" for name in ("nope", "alsonope")
    ]


def test_a_link_to_an_account_that_nobody_has_seen_is_booked_with_a_warning(machine):
    body = b'{"child":"user:nobody","parent":"account:Alsonope"}'
    status, found = asked(machine, "/v1/identity/links", KEY, "POST", body)
    assert (status, [said["type"] for said in found["said"]]) == (200, ["identity.link"])
    assert found["warnings"] == [
        f"nothing is known of {name} yet: is it misspelt?" for name in ("user:nobody", "account:Alsonope")
    ]


ACCOUNTS = [
    {"id": "holding", "name": "Holding"},
    {
        "id": "whole",
        "name": "Whole",
        "domains": ["whole-corp.com", "shared-corp.com", "gmail.com"],
        "parent_id": "holding",
    },
    {"id": "first", "name": "First", "domains": ["shared-corp.com"], "updated_at": "2026-01-01T00:00:00Z"},
    {"id": "part", "name": "Part", "domains": ["part-corp.com"]},
    {"id": "below", "name": "Below", "parent_id": "part"},
    {"id": "apart", "name": "Apart", "domains": []},
    {"id": "ring", "name": "Ring", "parent_id": "round"},
    {"id": "round", "name": "Round", "parent_id": "ring"},
    {"id": "under", "name": "Under", "parent_id": "ring"},
    {"id": "self", "name": "Self", "parent_id": "self"},
    *({"id": f"deep{n}", "name": f"Deep {n}", "parent_id": f"deep{n - 1}"} for n in range(1, 8)),
]


def test_an_account_is_explained_by_its_domains_its_parent_its_children_and_its_merges(machine):
    crm = [{"updated_at": "2026-02-01T00:00:00Z"} | account for account in ACCOUNTS]
    machine.post("/v1/crm/accounts", json.dumps(crm).encode())
    contacts = [{"id": f"c{n}", "email": f"ann{n}@gmail.com", "account_id": "part"} for n in range(3)]
    machine.post("/v1/crm/contacts", json.dumps(contacts).encode())
    call(machine, "link", "user:consultant", "account:whole")
    call(machine, "merge", "account:part", "account:whole", "--reason", "bought")
    wrong = call(machine, "merge", "account:apart", "account:whole").split()[1]
    merged = (
        "SELECT count() AS n FROM v_identity_claims"
        " WHERE source = 'operator' AND live AND parent = 'a:whole' AND startsWith(node, 'a:')"
    )
    until(lambda: machine.rows(merged)[0]["n"], 2)
    call(machine, "unmerge", wrong)
    until(lambda: machine.rows(merged)[0]["n"], 1)
    accounts = "SELECT count() AS n FROM v_account_tree WHERE parent_id IN ('whole', 'holding')"
    until(lambda: machine.rows(accounts)[0]["n"], 2)

    found = json.loads(call(machine, "explain", "account:whole"))
    assert (found["account_id"], found["steps"], found["warnings"]) == ("whole", [], [])
    whole = found["made_of"]
    assert (whole["name"], whole["touches"]) == ("Whole", 0)

    named = {d["domain"]: d for d in whole["domains"]}
    assert {name: (d["counts"], d["belongs_to"]) for name, d in named.items()} == {
        "domain:whole-corp.com": (True, "account:whole"),
        "domain:part-corp.com": (True, "account:whole"),  # by way of the merge
        "domain:shared-corp.com": (False, "account:first"),
        "domain:gmail.com": (False, ""),
    }
    (own,) = named["domain:whole-corp.com"]["claims"]
    assert (own["source"], own["rank"], own["belongs_to"]) == ("crm.account", 40, "account:whole")
    assert (own["said_by"], own["said_at"]) == ("website", "2026-02-01T00:00:00.000Z")
    (brought,) = named["domain:part-corp.com"]["claims"]
    assert brought["belongs_to"] == "account:part"
    shared = named["domain:shared-corp.com"]
    assert [claim["why"] for claim in shared["claims"]] == ["the same rank, and later"]
    assert (shared["instead"]["source"], shared["instead"]["said_at"]) == ("crm.account", "2026-01-01T00:00:00.000Z")
    assert [rule["rule"] for rule in named["domain:gmail.com"]["protections"]] == ["freemail"]

    assert (whole["parent"]["account"], whole["parent"]["problem"]) == ("account:holding", "")
    assert (whole["parent"]["said_by"], whole["parent"]["said_at"]) == ("website", "2026-02-01T00:00:00.000Z")
    assert whole["children"] == [{"account": "account:below", "name": "Below"}]  # its parent was merged into this one
    # A contact of what was merged into it is a user, and what holds for that holds for its address.
    assert whole["direct"] == [
        {"kind": "email", "source": "crm.contact", "identifiers": 3},
        {"kind": "user", "source": "crm.contact", "identifiers": 3},
        {"kind": "user", "source": "operator", "identifiers": 1},
    ]
    bought, back = whole["merges"]
    assert (bought["loser"], bought["counts"], bought["because"]["reason"]) == ("account:part", True, "bought")
    assert bought["because"]["said_by"] == "ops"
    assert (back["loser"], back["counts"], back["because"]["why"]) == ("account:apart", False, "taken back")

    part = json.loads(call(machine, "explain", "account:part"))
    assert [(step["node"], step["belongs_to"]) for step in part["steps"]] == [("account:part", "account:whole")]
    assert [d["domain"] for d in part["made_of"]["domains"] if d["counts"]] == ["domain:part-corp.com"]


def test_of_parents_and_children_an_explanation_says_what_the_tree_says(machine):
    tree = {row["account_id"]: row for row in machine.rows("SELECT account_id, parent_id, problem FROM v_account_tree")}
    assert {row["problem"] for row in tree.values()} == {"", "circle", "too deep"}
    for account in [one["id"] for one in ACCOUNTS]:
        found = json.loads(call(machine, "explain", f"account:{account}"))["made_of"]
        parent = found["parent"] or {"account": "", "problem": ""}
        assert (parent["account"].removeprefix("account:"), parent["problem"]) == (
            tree[account]["parent_id"], tree[account]["problem"],
        ), account  # fmt: skip
        children = sorted(row["account_id"] for row in tree.values() if row["parent_id"] == account)
        assert [child["account"].removeprefix("account:") for child in found["children"]] == children, account


def test_the_id_of_an_automatic_account_is_told_to_be_a_domain(machine):
    body = {"userId": "9", "anonymousId": "v9", "messageId": "auto", "traits": {"email": "joe@auto-corp.com"}}
    machine.post("/v1/identify", json.dumps(body).encode())
    seen = "SELECT count() AS n FROM v_identity WHERE node = 'd:auto-corp.com'"
    until(lambda: machine.rows(seen)[0]["n"], 1)
    found = json.loads(call(machine, "explain", "account:auto-corp.com"))
    assert found["warnings"] == ["nothing is known of account:auto-corp.com yet; is domain:auto-corp.com meant?"]
    assert "made_of" not in json.loads(call(machine, "explain", "domain:auto-corp.com"))


def send_calls(machine, calls):
    for start in range(0, len(calls), 200):
        machine.post("/v1/batch", json.dumps({"batch": calls[start : start + 200]}).encode())


def limited(machine, node):
    query = f"SELECT count() AS n FROM v_identity_claims WHERE status = 'limit' AND node = '{node}'"
    return machine.rows(query)[0]["n"]


def test_a_visitor_of_more_than_five_hundred_users_is_explained_by_that_limit(machine):
    page = {"type": "page", "anonymousId": "kiosk", "context": {"page": {"url": "https://x.example/"}}}
    first = datetime(2026, 5, 1, tzinfo=UTC)
    send_calls(machine, [
        page | {"userId": f"k{n}", "messageId": f"kiosk{n}", "timestamp": (first + timedelta(hours=n)).isoformat()}
        for n in range(501)
    ])  # fmt: skip
    until(lambda: limited(machine, "v:kiosk"), 501)
    found = json.loads(call(machine, "explain", "visitor:kiosk"))
    (rule,) = found["protections"]
    assert (rule["node"], rule["rule"], "more than 500 users" in rule["why"]) == ("visitor:kiosk", "limit", True)
    assert (found["account"], len(found["taken_back"]), found["more_taken_back"]) == ("", 50, 451)


def test_a_user_with_more_than_a_thousand_claims_is_explained_by_that_limit(machine):
    group = {"type": "group", "userId": "busy", "anonymousId": "busy"}
    send_calls(machine, [group | {"groupId": f"g{n}", "messageId": f"busy{n}"} for n in range(1001)])
    until(lambda: limited(machine, "u:busy"), 1001)
    found = json.loads(call(machine, "explain", "user:busy"))
    assert [(rule["node"], rule["rule"]) for rule in found["protections"]] == [("user:busy", "limit")]
    assert "more than 1000 claims" in found["protections"][0]["why"]
    assert (found["account"], len(found["taken_back"]), found["more_taken_back"]) == ("", 50, 951)


def strict(schema):
    """The schema, where each object has no members but those that are described."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if schema.get("type") == "object" and "properties" in schema else {}
    return {name: strict(part) for name, part in schema.items()} | closed


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "account:whole"}}, 200),
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "account:part"}}, 200),
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "account:unheard-of"}}, 200),
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "visitor:v1"}}, 200),
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "user:8"}}, 200),
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "email:joe@gmail.com"}}, 200),
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "nonsense"}}, 400),
        ("GET", "/v1/identity/{node}", {"path_parameters": {"node": "touch:none"}}, 404),
        ("POST", "/v1/identity/preview", {"body": {"link": {"child": "user:7", "parent": "account:beta"}}}, 200),
        ("POST", "/v1/identity/merges", {"body": {"loser": "account:un", "winner": "account:heard"}}, 200),
        ("POST", "/v1/identity/links", {"body": {"child": "user:z", "parent": "account:un"}}, 200),
        (
            "DELETE",
            "/v1/identity/links/{id}",
            {"path_parameters": {"id": "none"}},
            404,
        ),
    ],
)
def test_what_is_answered_is_what_openapi_describes(machine, method, path, given, status):
    with urllib.request.urlopen(f"{machine.url}/openapi.json", timeout=20) as answer:
        operation = schemathesis.openapi.from_dict(strict(json.load(answer)))[path][method]
    case = operation.Case(headers={"Authorization": f"Bearer {KEY}"}, media_type="application/json", **given)
    answer = case.call(base_url=machine.url)
    assert answer.status_code == status, answer.text
    operation.validate_response(answer)
