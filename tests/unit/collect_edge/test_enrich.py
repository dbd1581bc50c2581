"""What address and user agent tell, and that nothing of the address is left."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from schemas.errors import ConfigError
from stream.collect.bots import bot_of
from stream.collect.enrich import Enricher
from stream.collect.networks import Networks, network_of
from stream.settings import Settings
from tests.unit.collect_edge.requests import ENRICHER, relaxed

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/16.0 Mobile/15E148 Safari/604.1"
)
PIXEL = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36"
GALAXY_TAB = (
    "Mozilla/5.0 (Linux; Android 14; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def mmdb(path: Path, networks: dict[str, dict[str, object]]) -> str:
    writer = MMDBWriter(6, "Test", languages=["en"], ipv4_compatible=True)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    vienna = {"country": {"iso_code": "AT"}, "subdivisions": [{"iso_code": "9"}], "city": {"names": {"en": "Vienna"}}}
    flat = {"country_code": "DE", "state1": "Bavaria", "city": "Munich"}
    geo = mmdb(tmp_path / "geo.mmdb", {"203.0.113.0/24": vienna, "198.51.100.0/24": flat, "2001:db8:1::/48": vienna})
    company = mmdb(
        tmp_path / "company.mmdb",
        {"203.0.113.64/28": {"domain": "Acme.com"}, "198.51.100.0/24": {"domain": "isp.example", "type": "isp"}},
    )
    return Settings(geo_file=geo, company_file=company)


@pytest.mark.parametrize(
    ("agent", "device", "browser", "system"),
    [
        (CHROME, "desktop", "Chrome", "Windows"),
        (IPHONE, "mobile", "Mobile Safari", "iOS"),
        (IPAD, "tablet", "Mobile Safari", "iOS"),
        (PIXEL, "mobile", "Chrome Mobile", "Android"),
        (GALAXY_TAB, "tablet", "Chrome", "Android"),
        (FIREFOX, "desktop", "Firefox", "Linux"),
        ("", "", "", ""),
    ],
)
def test_people_have_device_browser_and_system(agent: str, device: str, browser: str, system: str) -> None:
    edge = ENRICHER.edge("", agent)
    assert (edge.device, edge.browser, edge.os, edge.bot) == (device, browser, system, "")


@pytest.mark.parametrize(
    ("agent", "bot", "reason"),
    [
        ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "ai", "gptbot"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0; +https://openai.com/bot)",
            "ai",
            "chatgpt-user",
        ),
        ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "ai", "claudebot"),
        ("Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)", "ai", "perplexitybot"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/150.0.0.0 Safari/537.36",
            "headless",
            "headlesschrome",
        ),
        ("curl/8.5.0", "tool", "curl"),
        ("python-requests/2.32.3", "tool", "python-requests"),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "monitor", "uptimerobot"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "crawler", "googlebot"),
        ("facebookexternalhit/1.1", "crawler", "facebookexternalhit"),
        (CHROME, "", ""),
        (IPHONE, "", ""),
        ("Mozilla/5.0", "", ""),
    ],
)
def test_bots_are_told_from_people_and_from_each_other(agent: str, bot: str, reason: str) -> None:
    assert bot_of(agent) == (bot, reason)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.70", ("AT", "9", "Vienna", "acme.com")),
        ("203.0.113.7", ("AT", "9", "Vienna", "")),
        ("198.51.100.1", ("DE", "Bavaria", "Munich", "")),
        ("2001:db8:1:2::3", ("AT", "9", "Vienna", "")),
        ("192.0.2.1", ("", "", "", "")),
        ("not an address", ("", "", "", "")),
        ("", ("", "", "", "")),
    ],
)
def test_a_network_has_a_place_and_perhaps_a_company(
    settings: Settings, address: str, place: tuple[str, str, str, str]
) -> None:
    enricher = Enricher(settings)
    for _ in range(2):  # looked up, then perhaps cached
        edge = enricher.edge(address, "")
        assert (edge.country, edge.region, edge.city, edge.company) == place


@pytest.mark.parametrize(
    ("domain", "type_", "found"),
    [
        ("Mimecast.com", "business", ("mimecast.com", "mimecast.com")),
        ("eu.pphosted.com", "hosting", ("", "eu.pphosted.com")),
        ("notmimecast.com", "business", ("notmimecast.com", "")),
        ("", "hosting", ("", "")),
    ],
)
def test_a_mail_gateways_network_is_told_whatever_its_type(
    tmp_path: Path, domain: str, type_: str, found: tuple[str, str]
) -> None:
    companies = mmdb(tmp_path / "company.mmdb", {"203.0.113.0/24": {"domain": domain, "type": type_}})
    edge = Enricher(Settings(company_file=companies)).edge("203.0.113.7", CHROME)
    assert (edge.company, edge.gateway) == found


def test_neighbours_in_one_network_keep_their_own_companies(settings: Settings) -> None:
    networks = Networks(settings.geo_file, settings.company_file)
    found = [networks.of(f"203.0.113.{host}").company for host in (7, 70, 7, 70)]
    assert found == ["", "acme.com", "", "acme.com"]


def test_no_address_is_kept(settings: Settings) -> None:
    enricher = Enricher(settings)
    enricher.edge("198.51.100.171", CHROME)
    enricher.edge("2001:db8:1:2:3:4:5:6", CHROME)
    assert list(enricher._networks._cache) == ["198.51.100", "2001:db8:1"]
    joined = enricher._joined.cache_info()
    assert (joined.currsize, joined.maxsize) == (2, 1 << 14)  # keyed by what was found, not by the address


def test_the_cache_of_networks_is_bounded_and_forgets_the_least_recent(settings: Settings) -> None:
    networks = Networks(settings.geo_file, "", cached=2)
    for address in ("203.0.113.1", "198.51.100.1", "203.0.113.2", "192.0.2.1"):
        networks.of(address)
    assert list(networks._cache) == ["203.0.113", "192.0.2"]


@pytest.mark.parametrize("content", [None, b"not an mmdb"])
def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"company_file.*broken\.mmdb"):
        Enricher(Settings(company_file=str(path)))


@relaxed
@given(st.ip_addresses())
def test_an_address_is_cut_to_its_network(address: object) -> None:
    cut = network_of(str(address))
    assert cut
    assert len(cut.split("." if "." in cut else ":")) == 3


@relaxed
@given(st.text(max_size=60), st.text(max_size=600))
def test_no_header_makes_it_fail(address: str, agent: str) -> None:
    ENRICHER.edge(address, agent)
