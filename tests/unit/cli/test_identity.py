"""``touchline identity``: what it asks and shows; the collector itself is in tests/e2e/test_identity.py."""

import http.server
import io
import json
import threading
from typing import ClassVar

import pytest

from stream.cli.identity_shown import explanation_tree, moves_table
from stream.cli.main import run

KEY = "k" * 20
FOUND = {
    "node": "visitor:v1", "at": "2026-06-01T00:00:00.000Z", "account_id": "acme", "account": "account:acme",
    "person": "email:ann@acme.com", "rank": 100, "source": "operator", "session_user": "", "taken_back": [],
    "more_taken_back": 0, "protections": [], "warnings": [],
    "steps": [{
        "node": "visitor:v1", "belongs_to": "account:acme", "as": "account",
        "because": {"source": "operator", "rank": 100, "claim": "op-1", "said_by": "ops", "reason": "[bold]told"},
        "lost": [{"source": "ip", "rank": 0, "belongs_to": "domain:beta.org", "why": "rank 0 is not above 100"}],
        "more_lost": 3,
    }],
}  # fmt: skip
MOVES = {
    "node": "user:7", "identifiers": 2, "records": 3,
    "moves": [{"from": "", "to": "acme", "touches": 2, "conversions": 1, "other_person": 0,
               "credit": [{"model": "linear", "currency": "EUR", "credit": "0.500000000", "amount": "1234.50"}]}],
}  # fmt: skip


class Collector(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, str, object]]] = []

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert self.headers["Authorization"] == f"Bearer {KEY}"
        self.asked.append((self.command, self.path, json.loads(body) if body else None))
        refused = "nobody" in self.path
        answer = (
            FOUND
            if self.command == "GET"
            else MOVES
            if "preview" in self.path
            else {"said": [{"type": "t", "claim": "op-1"}], "warnings": ["nothing is known of account:a yet"]}
        )
        if refused:
            answer = {"success": False, "error": {"reason": "no_claim", "detail": "there is no such claim"}}
        self.send_response(404 if refused else 200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def asked(tmp_path, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "touchline.toml").write_text(f'[[operators]]\nname = "ops"\nkey = "{KEY}"\n')
    monkeypatch.setenv("TOUCHLINE_CONFIG", str(tmp_path / "touchline.toml"))
    monkeypatch.setenv("TOUCHLINE_HTTP_PORT", str(server.server_address[1]))
    Collector.asked.clear()
    yield Collector.asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["explain", "email:a/b@c.de"], ("GET", "/v1/identity/email%3Aa%2Fb%40c.de", None)),
        (["explain", "user:7", "--at", "2026-06-01"], ("GET", "/v1/identity/user%3A7?at=2026-06-01", None)),
        (
            ["link", "user:7", "account:x", "--from", "2026-06-01"],
            ("POST", "/v1/identity/links", {"child": "user:7", "parent": "account:x", "from": "2026-06-01"}),
        ),
        (["unlink", "op-1"], ("DELETE", "/v1/identity/links/op-1", None)),
        (["unlink", "user:7", "account:x"], ("DELETE", "/v1/identity/links?child=user%3A7&parent=account%3Ax", None)),
        (
            ["merge", "account:x", "account:y", "--reason", "twice"],
            ("POST", "/v1/identity/merges", {"loser": "account:x", "winner": "account:y", "reason": "twice"}),
        ),
        (["unmerge", "op-1"], ("DELETE", "/v1/identity/merges/op-1", None)),
        (
            ["unmerge", "account:x", "account:y"],
            ("DELETE", "/v1/identity/merges?loser=account%3Ax&winner=account%3Ay", None),
        ),
        (
            ["preview", "link", "user:7", "account:x"],
            ("POST", "/v1/identity/preview", {"link": {"child": "user:7", "parent": "account:x"}}),
        ),
        (["preview", "unlink", "op-1"], ("POST", "/v1/identity/preview", {"unlink": {"id": "op-1"}})),
        (
            ["preview", "unmerge", "account:x", "account:y"],
            ("POST", "/v1/identity/preview", {"unmerge": {"loser": "account:x", "winner": "account:y"}}),
        ),
    ],
)
def test_each_command_is_one_request(asked, words, wanted, capsys):
    assert run(["identity", *words]) == 0
    assert asked == [wanted]
    assert capsys.readouterr().out


def test_what_the_collector_refuses_is_said_in_its_words(asked, capsys):
    assert run(["identity", "unlink", "nobody"]) == 1
    assert "there is no such claim" in capsys.readouterr().err


def test_a_warning_is_said_beside_what_was_booked(asked, capsys):
    assert run(["identity", "merge", "account:a", "account:b"]) == 0
    printed = capsys.readouterr()
    assert "op-1" in printed.out
    assert printed.err == "warning: nothing is known of account:a yet\n"


def test_an_empty_identifier_is_wrong_usage_and_asks_nobody(asked, capsys):
    assert run(["identity", "explain", " "]) == 2
    assert "NODE is empty" in capsys.readouterr().err
    assert asked == []


def test_for_programs_it_is_json(asked, capsys):
    assert run(["identity", "explain", "visitor:v1"]) == 0
    assert json.loads(capsys.readouterr().out) == FOUND


def test_without_a_key_it_says_what_to_write_where(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TOUCHLINE_CONFIG", str(tmp_path / "none.toml"))
    assert run(["identity", "explain", "user:7"]) == 2
    assert "[[operators]]" in capsys.readouterr().err


def printed(shown) -> str:
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    console.print(shown)
    return console.export_text()


def test_people_see_the_way_what_lost_and_what_was_written_as_it_was_written():
    text = printed(explanation_tree(FOUND))
    assert "visitor:v1 → account:acme, person email:ann@acme.com" in text
    assert "an operator said so, rank 100; by ops; claim op-1; “[bold]told”" in text
    assert "not domain:beta.org: company of the network, rank 0; rank 0 is not above 100" in text


def test_people_see_the_rule_that_decided_where_no_claim_did():
    rule = {"node": "visitor:v1", "rule": "shared_device", "why": "2 users share this device"}
    text = printed(explanation_tree(FOUND | {"account": "", "steps": [], "protections": [rule]}))
    assert "visitor:v1: shared device: 2 users share this device" in text
    assert "nobody has said anything" not in text


CRM = {"source": "crm.account", "rank": 40, "said_by": "crm", "claim": "a:acme #00000000", "belongs_to": "account:acme"}
MADE_OF = {
    "name": "Acme [Ltd]", "people": 3, "touches": 1200,
    "parent": {"account": "account:holding", "named": "account:old-holding", "problem": "", "said_by": "crm",
               "said_at": "2026-06-01T00:00:00.000Z", "event_id": "e"},
    "children": [{"account": "account:sub", "name": "Sub"}], "more_children": 7,
    "domains": [
        {"domain": "domain:acme.com", "counts": True, "belongs_to": "account:acme", "more_claims": 0,
         "claims": [CRM, CRM | {"belongs_to": "account:old"}],
         "instead": None, "protections": []},
        {"domain": "domain:gmail.com", "counts": False, "belongs_to": "", "more_claims": 2, "instead": None,
         "claims": [CRM | {"why": "the domain owns nothing"}],
         "protections": [{"node": "domain:gmail.com", "rule": "freemail", "why": "it owns nothing"}]},
        {"domain": "domain:beta.org", "counts": False, "belongs_to": "account:beta", "more_claims": 0,
         "claims": [CRM | {"why": "rank 40 is not above 100"}], "protections": [],
         "instead": {"source": "operator", "rank": 100, "said_by": "ops"}},
    ],
    "more_domains": 0, "direct": [{"kind": "user", "source": "group", "identifiers": 1200}],
    "merges": [
        {"loser": "account:old", "winner": "account:acme", "counts": True, "because": {"source": "operator", "rank": 100}},
        {"loser": "account:acme", "winner": "account:x", "counts": False,
         "because": {"source": "operator", "rank": 100, "why": "taken back"}},
    ],
    "more_merges": 0,
}  # fmt: skip


def test_people_see_what_an_account_is_made_of():
    text = printed(explanation_tree(FOUND | {"node": "account:acme", "steps": [], "made_of": MADE_OF}))
    lines = [line.lstrip("│├└─ ").rstrip() for line in text.splitlines()]
    assert "“Acme [Ltd]”  people: 3, touches: 1,200" in lines
    assert "domain:acme.com" in lines
    assert "domains of the CRM account, rank 40; by crm; claim a:acme #00000000" in lines
    assert "for account:old: domains of the CRM account, rank 40; by crm; claim a:acme #00000000" in lines
    assert "not domain:gmail.com: it belongs to nobody" in lines
    assert "freemail: it owns nothing" in lines
    assert "not domain:beta.org: it belongs to account:beta  an operator said so, rank 100; by ops" in lines
    assert (
        "below account:holding, which account:old-holding was merged into  CRM account; by crm, 2026-06-01T00:00:00.000Z"
        in lines
    )
    assert "user: 1,200  group call" in lines
    assert "account:sub  Sub" in lines
    assert "and 7 more" in lines
    assert "account:old → account:acme  an operator said so, rank 100" in lines
    assert "not account:acme → account:x  an operator said so, rank 100; taken back" in lines
    assert "nobody has said anything" not in text


@pytest.mark.parametrize(
    ("account", "problem", "said"),
    [
        ("account:b", "", "below account:b"),
        ("", "circle", "below account:b, says the CRM, but it stands alone: circle"),
        ("", "", "the CRM puts it below itself (account:b)"),
    ],
)
def test_people_see_why_an_account_with_a_parent_stands_alone(account, problem, said):
    parent = MADE_OF["parent"] | {"account": account, "named": "account:b", "problem": problem, "said_by": ""}
    text = printed(explanation_tree(FOUND | {"made_of": MADE_OF | {"parent": parent}}))
    assert said in [line.lstrip("│├└─ ").rstrip() for line in text.splitlines()]


def test_people_see_how_much_was_left_out_and_what_may_have_been_meant():
    said = "nothing is known of account:acme.com yet; is domain:acme.com meant?"
    text = printed(explanation_tree(FOUND | {"warnings": [said]}))
    assert "and 3 more" in text
    assert said in text


def test_people_see_what_would_move_with_its_money():
    text = printed(moves_table(MOVES))
    assert "nobody" in text
    assert "linear: 0.5, 1,234.50 EUR" in text
