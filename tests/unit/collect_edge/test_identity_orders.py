"""What operators say over HTTP becomes exactly one event, or an answer that says what to say instead."""

import msgspec
import pytest

from schemas import event as kinds
from schemas.errors import ConfigError
from schemas.rules import Rules
from stream.collect.identity.access import operator_of
from stream.collect.identity.orders import Link, Merge, Teller, Unfit, link_of, merge_of, retraction_of
from stream.collect.identity.questions import literal
from stream.core.identity.names import NoNode, heard, spoken
from stream.settings import Operator, read_config

TELLER = Teller("ops", "default", 1_790_000_000_000, "op-fresh")


def test_a_link_is_an_event_that_enters_by_the_child():
    link = msgspec.json.decode(
        b'{"child":"email:Ann@ACME.com","parent":"account:beta","from":"2026-06-01","to":1790000000000,"reason":"moved"}',
        type=Link,
    )
    event, claim, _ = link_of(link, TELLER, Rules())
    assert (event.type, event.node, event.email) == (kinds.IDENTITY_LINK, "default/e:ann@acme.com", "ann@acme.com")
    assert (event.id, claim, event.source) == ("op-fresh", "op-fresh", "ops")
    assert msgspec.json.decode(event.properties) == {
        "claim": "op-fresh",
        "parent": "a:beta",
        "since": 1_780_272_000_000,
        "until": 1_790_000_000_000,
        "reason": "moved",
    }


def test_a_merge_enters_by_the_registry_and_a_repeat_with_its_id_is_the_same_event():
    event, claim, _ = merge_of(Merge("account:old", "account:new", id="ticket-5"), TELLER, Rules())
    assert (event.node, event.type, event.id, claim) == (
        "default/r:accounts", kinds.IDENTITY_MERGE, "ticket-5", "ticket-5",
    )  # fmt: skip
    assert msgspec.json.decode(event.properties) == {"claim": "ticket-5", "parent": "a:new", "loser": "a:old"}


def test_a_retraction_said_twice_is_one_event():
    first, second = (retraction_of("default/u:7", "k", TELLER).event.id for _ in range(2))
    assert first == second
    assert retraction_of("default/u:8", "k", TELLER).event.id != first


@pytest.mark.parametrize(
    ("link", "hint"),
    [
        (Link("user:7", "visitor:1"), "cannot belong"),
        (Link("account:1", "account:2"), "merge"),
        (Link("user:7", "domain:gmail.com"), "owns nothing|own nothing"),
        (Link("user:7", "domain:co.uk"), "suffixes"),
        (Link("user:null", "account:1"), "names nobody"),
        (Link("7", "account:1"), "is written"),
        (Link("user:7", "account:1", since="soon"), "from: an ISO"),
        (Link("user:7", "account:1", since="2026-06-02", until="2026-06-01"), "later"),
        (Link("user:7", "account:1", id="a b"), "id: 1 to 64"),
        (Link("user:7", "account:1", id="k\0" + "0" * 8), "id: 1 to 64"),  # as the CRM's claims are numbered
        (Link("email:ann", "account:1"), "has an @"),
    ],
)
def test_what_cannot_be_linked_is_answered_with_what_to_do(link, hint):
    with pytest.raises(Unfit, match=hint):
        link_of(link, TELLER, Rules())


@pytest.mark.parametrize(
    ("merge", "hint"),
    [
        (Merge("account:1", "account:1"), "itself"),
        (Merge("domain:acme.com", "account:1"), "linked"),
        (Merge("user:7", "account:1"), "is no account"),
    ],
)
def test_what_cannot_be_merged_is_answered_with_what_to_do(merge, hint):
    with pytest.raises(Unfit, match=hint):
        merge_of(merge, TELLER, Rules())


def test_identifiers_are_spoken_as_they_are_heard():
    for text in ("visitor:v:1", "user:a/b", "email:ann@acme.com", "domain:acme.com", "account:X", "opportunity:o1"):
        assert spoken(heard(text, "t")) == text
    assert heard("domain:www.Acme.co.uk", "t") == "t/d:acme.co.uk"
    assert heard("u:7", "t") == "t/u:7"
    with pytest.raises(NoNode):
        heard("domain:mine.example", "t", Rules(freemail_domains=("mine.example",)))


def test_only_an_operators_key_opens():
    ops = Operator("ops", "k" * 20)
    assert operator_of({"Authorization": "Bearer " + "k" * 20}, [ops]) is ops
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer dev"}, {"Authorization": "Digest x"}):
        assert operator_of(header, [ops]) is None
    assert operator_of({"Authorization": "Bearer x"}, []) is None


@pytest.mark.parametrize(("key", "hint"), [("short", "20 characters"), ("write-key-of-a-website", "write key")])
def test_a_key_that_anybody_could_know_is_refused_at_the_start(tmp_path, key, hint):
    file = tmp_path / "touchline.toml"
    file.write_text(
        f'[[sources]]\nname = "w"\nkey = "write-key-of-a-website"\n[[operators]]\nname = "ops"\nkey = "{key}"\n'
    )
    with pytest.raises(ConfigError, match=hint):
        read_config(file)


def test_parameters_are_written_as_clickhouse_reads_them():
    assert literal(["a'b", "c\\d"]) == r"['a\'b','c\\d']"
    assert literal("tab\t") == r"tab\t"
    assert literal(5) == "5"


def test_an_address_without_its_kind_is_answered_with_how_it_is_written():
    with pytest.raises(NoNode, match=r"an address is written email:ann@acme\.com"):
        heard(" ann@acme.com ", "default")
