"""Channels: GA4's order, test vectors, click ids, referrers. Expected values come from there."""

import pytest

from stream.core.channels import CHANNELS, channel_of
from stream.core.referrers import category_of, look_up
from stream.core.sources import NO_SOURCE, Tags, place_of, source_of

PAID = ["cpc", "CPC", "cpm", "cpa", "tcp", "ppc", "paid", "paidsocial", "paid-social", "retargeting"]
UNPAID = ["xppc", "social-paid", "remarketing"]
SHOPS = ["shop", "eshop", "e-shop", "window-shopping", "shopify-launch"]
NO_SHOPS = ["workshop", "photoshop", "webshop-de"]


def source(url="https://acme.com/", referrer="", *, internal=(), excluded=("paypal.com",), **tags):
    return source_of(place_of(url), referrer, Tags(**tags), frozenset(internal), frozenset(excluded))


@pytest.mark.parametrize("medium", PAID)
def test_paid_media_make_a_search_source_paid_search(medium):
    assert channel_of("google", medium, "") == "Paid Search"


@pytest.mark.parametrize("medium", UNPAID)
def test_media_that_only_look_paid_are_not(medium):
    assert channel_of("unknown", medium, "") == "Unassigned"


@pytest.mark.parametrize("campaign", SHOPS)
def test_shop_campaigns_are_shopping(campaign):
    assert channel_of("unknown", "whatever", campaign) == "Organic Shopping"
    assert channel_of("unknown", "cpc", campaign) == "Paid Shopping"


@pytest.mark.parametrize("campaign", NO_SHOPS)
def test_words_that_contain_shop_are_no_shopping(campaign):
    assert channel_of("unknown", "whatever", campaign) == "Unassigned"


@pytest.mark.parametrize(
    ("source", "medium", "campaign", "channel"),
    [
        ("(direct)", "(none)", "", "Direct"),
        ("(direct)", "(not set)", "", "Direct"),
        ("", "", "", "Direct"),
        ("google", "cpc", "my-Cross-Network-x", "Cross-network"),
        ("facebook", "cpm", "", "Paid Social"),
        ("youtube", "cpc", "", "Paid Video"),
        ("unknown", "cpm", "", "Display"),
        ("unknown", "banner", "", "Display"),
        ("unknown", "cpc", "", "Paid Other"),
        ("LinkedIn.com", "", "", "Organic Social"),
        ("unknown", "Social Media", "", "Organic Social"),
        ("unknown", "in-video-x", "", "Organic Video"),
        ("x", "ai-assistant", "", "AI Assistant"),
        ("unknown", "organic", "", "Organic Search"),
        ("bing", "", "", "Organic Search"),
        ("unknown", "referral", "", "Referral"),
        ("unknown", "link", "", "Referral"),
        ("e_mail", "", "", "Email"),
        ("unknown", "E-Mail", "", "Email"),
        ("unknown", "affiliate", "", "Affiliates"),
        ("unknown", "audio", "", "Audio"),
        ("sms", "", "", "SMS"),
        ("firebase", "", "", "Mobile Push"),
        ("unknown", "webpush", "", "Mobile Push"),
        ("unknown", "app-notification-x", "", "Mobile Push"),
        ("unknown", "sequence", "", "Sales Outreach"),
        ("unknown", "webinar", "", "Event"),
        ("unknown", "partner", "", "Partner"),
        ("g2.com", "", "", "Review Site"),
        ("capterra.com", "cpc", "", "Paid Other"),
        ("x", "remarketing", "", "Unassigned"),
    ],
)
def test_the_first_rule_that_holds_names_the_channel(source, medium, campaign, channel):
    assert channel_of(source, medium, campaign) == channel
    assert channel in CHANNELS


@pytest.mark.parametrize(
    ("referrer", "channel", "name"),
    [
        ("https://www.google.co.uk/", "Organic Search", "google"),
        ("https://www.bing.com/search?q=x", "Organic Search", "bing"),
        ("https://duckduckgo.com/", "Organic Search", "duckduckgo"),
        ("https://gemini.google.com/app", "AI Assistant", "gemini"),
        ("https://chatgpt.com/", "AI Assistant", "chatgpt"),
        ("https://www.perplexity.ai/search", "AI Assistant", "perplexity"),
        ("https://x.com/i/grok?q=1", "AI Assistant", "grok"),
        ("https://x.com/somebody", "Organic Social", "twitter"),
        ("https://lnkd.in/abc", "Organic Social", "linkedin"),
        ("https://m.facebook.com/", "Organic Social", "facebook"),
        ("https://www.youtube.com/watch?v=1", "Organic Video", "youtube"),
        ("https://mail.google.com/mail", "Email", "gmail"),
        ("https://www.g2.com/products/x", "Review Site", "g2"),
        ("https://www.partner.example/blog", "Referral", "partner.example"),
        ("android-app://com.google.android.googlequicksearchbox/", "Organic Search", "google"),
    ],
)
def test_a_referrer_names_source_and_channel(referrer, channel, name):
    found = source(referrer=referrer)
    assert (found.channel, found.source, found.kind) == (channel, name, "external")


@pytest.mark.parametrize(
    ("query", "channel", "click_id"),
    [
        ("gclid=AbC", "Paid Search", "gclid=AbC"),
        ("gad_source=1", "Paid Search", "gad_source=1"),
        ("msclkid=Q", "Paid Search", "msclkid=Q"),
        ("fbclid=Z", "Organic Social", "fbclid=Z"),
        ("li_fat_id=Z", "Paid Social", "li_fat_id=Z"),
        ("dclid=Z", "Display", "dclid=Z"),
        ("fbclid=Z&gclid=Y", "Paid Search", "gclid=Y"),
        ("mkt_tok=Z", "Email", "mkt_tok=Z"),
        ("utm_source=google&gclid=Y", "Paid Search", "gclid=Y"),
        ("utm_source=chatgpt.com", "AI Assistant", ""),
        ("utm_source=newsletter&utm_medium=email&gclid=Y", "Email", "gclid=Y"),
        ("ref=producthunt", "Organic Social", ""),
    ],
)
def test_click_ids_and_tags_of_the_url_count_without_a_referrer(query, channel, click_id):
    found = source(f"https://acme.com/?{query}")
    assert (found.channel, found.click_id) == (channel, click_id)


def test_explicit_tags_beat_those_of_the_url():
    found = source("https://acme.com/?utm_source=a&utm_medium=cpc&utm_term=t", source="google", medium="organic")
    assert (found.source, found.medium, found.term, found.channel) == ("google", "organic", "t", "Organic Search")


def test_tags_beat_the_referrer_and_a_paid_click_beats_it_too():
    assert source("https://acme.com/?utm_source=x&utm_medium=email", "https://www.google.com/").channel == "Email"
    assert source("https://acme.com/?gclid=1", "https://www.bing.com/").source == "google"
    assert source("https://acme.com/?fbclid=1", "https://www.instagram.com/").source == "instagram"


@pytest.mark.parametrize(
    "referrer", ["", "https://mail.google.com/mail/u/0/", "https://webmail.example.org/owa/", "https://acme.com/"]
)
@pytest.mark.parametrize(
    ("click_id", "tool"), [("mc_cid=C1", "mailchimp"), ("_hsenc=p2A", "hubspot"), ("mkt_tok=M", "marketo")]
)
def test_a_link_of_a_mail_tool_is_that_mail_whatever_showed_it(click_id, tool, referrer):
    found = source(f"https://acme.com/?{click_id}", referrer)
    assert (found.channel, found.source, found.medium, found.click_id) == ("Email", tool, "email", click_id)


@pytest.mark.parametrize(
    ("referrer", "channel"),
    [
        ("https://www.linkedin.com/feed/", "Organic Social"),
        ("https://www.google.com/", "Organic Search"),
        ("https://chatgpt.com/", "AI Assistant"),
    ],
)
def test_a_link_of_a_mail_tool_that_was_passed_on_is_of_where_it_was_found(referrer, channel):
    assert source("https://acme.com/?mc_cid=C1", referrer).channel == channel


@pytest.mark.parametrize(
    ("referrer", "kind", "channel"),
    [
        ("", "direct", "Direct"),
        ("http://localhost:3000/", "direct", "Direct"),
        ("https://www.acme.com/x", "internal", ""),
        ("https://shop.acme.com/x", "internal", ""),
        ("https://acme.io/", "internal", ""),
        ("https://www.paypal.com/checkout", "excluded", ""),
    ],
)
def test_own_and_excluded_referrers_are_no_source(referrer, kind, channel):
    found = source("https://www.acme.com/?ref=footer" if kind == "internal" else "https://www.acme.com/", referrer,
                   internal=("acme.io",))  # fmt: skip
    assert (found.kind, found.channel, found.source) == (kind, channel, "")


def test_private_suffixes_are_different_sites():
    assert source("https://a.github.io/", "https://b.github.io/").channel == "Referral"


def test_what_is_no_url_has_no_source():
    assert source("", "") == NO_SOURCE
    assert source("http://[bad", "http://[worse").kind == "direct"


def test_country_hosts_of_search_engines_are_known_but_not_every_subdomain():
    assert look_up("google.com.au").name == "google"
    assert look_up("docs.google.com") is None
    assert category_of("www.yandex.ru") == "search"
