import pytest

from schemas.rules import Rules
from stream.core.identity.domains import domain_owns, is_role_address, list_with, work_domain, work_host


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ann@acme.com", "acme.com"),
        ("ann@mail.eu.acme.co.uk", "acme.co.uk"),
        ("ann@foo.github.io", "foo.github.io"),  # the private section of the public suffix list counts
        ("ann@bücher.example", "xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("info@acme.com", "acme.com"),  # a role address gives an account
    ],
)
def test_a_work_address_belongs_to_its_registrable_domain(address, domain):
    assert work_domain(address) == domain


@pytest.mark.parametrize(
    "address",
    [
        "ann@gmail.com", "ann@web.de", "ann@hey.com", "ann@tutanota.com", "ann@mozmail.com", "ann@simplelogin.com",
        "x@privaterelay.appleid.com", "ann@anonaddy.me", "ann@team.anonaddy.me", "ann@comcast.net", "ann@t-online.de",
        "ann@mailinator.com", "ann@marketplace.amazon.de", "ann@members.ebay.co.uk",
        # Every company without a domain of its own in Microsoft's cloud, and in a network of its own.
        "ann@acme.onmicrosoft.com", "ann@beta.mail.onmicrosoft.com", "ann@corp.local", "ann@pc.corp.local", "ann@acme.invalid",
        "ann@pc.localhost",
    ],
)  # fmt: skip
def test_freemail_disposable_relay_and_provider_addresses_have_no_work_domain(address):
    assert work_domain(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "ann", "ann@", "@acme.com", "ann@acme", "ann@.com", "ann@co.uk", "ann@10.0.0.1", "ann@[10.0.0.1]",
        "ann@acme..com", "ann@-acme.com", "ann@ac me.com", "ann@acme.com/x", "ann@" + "a" * 64 + ".com",
        "ann@" + "a.b" * 100 + ".com", "ann@\ud800.com", "ann@ß..com", "ann@" + "é" * 100 + ".com",
    ],
)  # fmt: skip
def test_a_malformed_address_has_no_work_domain_and_does_no_harm(address):
    assert work_domain(address) == ""


def test_a_company_host_is_read_like_an_address():
    assert work_host("WWW.Acme.com.") == "acme.com"
    assert work_host("gmail.com") == ""


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("acme.onmicrosoft.com", "tenants"), ("corp.local", "reserved"), ("local.acme.com", ""), ("amazon.de", ""),
        ("marketplace.amazon.de", "relay"), ("local", "reserved"),
    ],
)  # fmt: skip
def test_the_list_for_which_a_host_owns_nothing_has_a_name(host, name):
    assert list_with(host, Rules()) == name
    assert (work_host(host) == "") is (name != "")


def test_the_rules_can_take_more_domains_out():
    assert domain_owns("acme.com", Rules())
    assert not domain_owns("acme.com", Rules(freemail_domains=("ACME.com",)))
    assert not domain_owns("gmail.com", Rules())


def test_role_addresses_are_recognised_with_and_without_tag():
    assert is_role_address("info@acme.com")
    assert is_role_address("sales+eu@acme.com")
    assert not is_role_address("ann@acme.com")
    assert not is_role_address("informer@acme.com")
