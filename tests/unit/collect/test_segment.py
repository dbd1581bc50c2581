"""Segment and RudderStack wire format, with payloads as the SDKs send them."""

import json

import pytest

from schemas.rejections import RejectReason
from stream.collect.adapters.segment import events_of
from stream.collect.privacy import respect
from tests.unit.collect.senders import RECEIVED_AT, SHOP, only, request


def body(**members):
    return json.dumps(members).encode()


def call(**members):
    return {"type": "track", "event": "Signed Up", "userId": "u1", **members}


def batch(*items, **envelope):
    return body(batch=list(items), **envelope)


def reasons(parsed):
    return [refusal.reason for refusal in parsed.rejected]


def test_python_sdk_batch_becomes_one_event_with_all_fields():
    sent = batch(
        {
            "integrations": {},
            "anonymousId": None,
            "timestamp": "2026-01-02T03:04:04.453426+00:00",
            "messageId": "8d9c3c6c-1b5e-4f0c-9f55-0a4e4c7c8a11",
            "type": "track",
            "userId": "user-1",
            "event": "Demo Requested",
            "properties": {"plan": "pro", "amount": 1.5},
            "context": {
                "library": {"name": "analytics-python", "version": "2.4.0"},
                "campaign": {"name": "spring", "source": "google", "medium": "cpc", "term": "t", "content": "c"},
                "groupId": "acme-inc",
                "traits": {"email": "Ann@Acme.com"},
                "locale": "en-US",
            },
        },
        writeKey="dev",
        sentAt="2026-01-02T03:04:05.000000+00:00",
    )
    event = only(events_of(sent, request()))
    assert (event.id, event.type, event.name) == (
        "8d9c3c6c-1b5e-4f0c-9f55-0a4e4c7c8a11",
        "track",
        "Demo Requested",
    )
    # received - (sent - timestamp) = .678 - (5.000 - 4.453)
    assert (event.at, event.original_at, event.sent_at) == (RECEIVED_AT - 547, 1767323044453, 1767323045000)
    assert (event.user, event.visitor, event.email, event.group) == ("user-1", "", "ann@acme.com", "acme-inc")
    assert event.node == "default/u:user-1"
    assert (event.utm_source, event.utm_medium, event.utm_campaign) == ("google", "cpc", "spring")
    assert (event.utm_term, event.utm_content) == ("t", "c")
    assert (event.source, event.protocol, event.platform, event.library) == (
        "website",
        "segment",
        "server",
        "analytics-python",
    )
    assert bytes(event.properties) == b'{"plan": "pro", "amount": 1.5}'
    assert (event.city, event.browser) == ("", ""), "a server's socket says nothing of the visitor"


def test_rudder_node_item_times_win_over_the_envelope():
    item = call(
        channel="server",
        originalTimestamp="2026-01-02T03:04:00.000Z",
        sentAt="2026-01-02T03:04:02.000Z",
        context={"library": {"name": "@rudderstack/rudder-sdk-node", "version": "3.0.13"}},
        _metadata={"nodejsVersion": "20"},
    )
    event = only(events_of(batch(item, sentAt="2026-01-02T03:04:05Z", timestamp="2026-01-02T03:04:05Z"), request()))
    assert event.at == RECEIVED_AT - 2000
    assert event.protocol == "rudderstack"


def test_a_time_that_the_caller_gave_rudderstacks_sdk_is_taken_as_it_is():
    sdk = {"originalTimestamp": "2026-01-02T03:04:00.000Z", "sentAt": "2026-01-02T03:04:02.000Z"}
    event = only(events_of(batch(call(timestamp="2020-01-01T00:00:00.123Z", **sdk)), request()))
    assert event.at == 1577836800123


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("t", "track"),
        ("p", "page"),
        ("s", "screen"),
        ("i", "identify"),
        ("g", "group"),
        ("a", "alias"),
        ("track", "track"),
    ],
)
def test_paths_of_one_letter_and_of_one_word_name_the_call(path, kind):
    sent = body(event="E", userId="u1", anonymousId="v1", groupId="g1", previousId="v0")
    assert only(events_of(sent, request(f"/v1/{path}"))).type == kind


def test_browser_sdk_call_takes_facts_from_its_own_connection():
    sent = body(
        anonymousId="3f2a",
        properties={"url": "https://example.com/a"},
        context={"page": {"url": "https://example.com/", "referrer": "https://www.google.com/", "title": "Home"}},
        writeKey="dev",
    )
    event = only(events_of(sent, request("/v1/p", source=None, headers={"user-agent": "agent", "sec-gpc": "1"})))
    assert (event.url, event.referrer, event.title) == ("https://example.com/", "https://www.google.com/", "Home")
    assert (event.city, event.browser, event.gpc, event.platform) == ("203.0.113.7", "agent", True, "web")
    assert event.node == "default/v:3f2a"


def test_segments_library_for_dotnet_is_no_browser_though_it_uses_the_browsers_path():
    # It runs in servers, too; its connection is then the server's, for all of its users.
    sent = batch(call(context={"library": {"name": "Analytics-CSharp", "version": "2.5.5"}}))
    event = only(events_of(sent, request("/v1/b")))
    assert (event.platform, event.city, event.browser) == ("server", "", "")


def test_context_ip_and_user_agent_override_the_connection():
    sent = body(event="E", anonymousId="v", context={"ip": "198.51.100.1", "userAgent": "theirs"})
    event = only(events_of(sent, request("/v1/t")))
    assert (event.city, event.browser) == ("198.51.100.1", "theirs")


def test_server_that_passes_on_the_visitors_browser_speaks_for_the_web():
    event = only(events_of(batch(call(context={"userAgent": "theirs"})), request()))
    assert (event.platform, event.browser, event.city) == ("web", "theirs", "")


def test_mobile_sdk_is_an_app():
    event = only(events_of(batch(call(context={"library": {"name": "analytics-ios"}})), request()))
    assert (event.platform, event.city) == ("app", "203.0.113.7")


def test_write_key_in_the_body_names_the_source():
    parsed = events_of(batch(call(), writeKey="shop-key"), request(source=None))
    assert (parsed.source, only(parsed).node) == (SHOP, "shop-tenant/u:u1")


def test_unknown_write_key_rejects_every_call_with_its_bytes():
    parsed = events_of(batch(call(), call(userId="u2"), writeKey="nope"), request(source=None))
    assert parsed.events == []
    assert reasons(parsed) == [RejectReason.UNKNOWN_KEY]
    assert [item["userId"] for item in json.loads(parsed.rejected[0].body)] == ["u1", "u2"]


@pytest.mark.parametrize("kind", ["merge", "nope", "", None, 5])
def test_unknown_types_are_unsupported(kind):
    assert reasons(events_of(batch(call(type=kind)), request())) == [RejectReason.UNSUPPORTED]


@pytest.mark.parametrize(
    "item",
    [
        call(event=None),
        call(event=""),
        call(userId=None, anonymousId=None),
        call(userId="", anonymousId="undefined"),
        call(userId="[object Object]"),
        call(type="group"),
        call(type="alias"),
        call(type="alias", previousId="null"),
    ],
)
def test_calls_without_what_they_need_are_refused(item):
    assert reasons(events_of(batch(item), request())) == [RejectReason.MISSING_FIELD]


def test_bad_calls_never_cost_their_neighbours():
    good = [call(messageId=str(n)) for n in range(3)]
    sent = batch(good[0], call(type="nope"), good[1], 7, None, "text", [], good[2])
    parsed = events_of(sent, request())
    assert [event.id for event in parsed.events] == ["0", "1", "2"]
    assert len(parsed.rejected) == 5


def test_fields_of_the_wrong_type_are_left_out_and_the_call_kept():
    item = call(
        userId=42,
        messageId=["x"],
        context={"page": {"url": 5, "title": "T"}, "campaign": "none", "library": []},
        name={},
    )
    event = only(events_of(batch(item), request()))
    assert (event.user, event.url, event.title, event.id) == ("42", "", "T", "new-1")


def test_envelope_context_fills_what_the_item_leaves_open():
    outer = {"groupId": "outer", "ip": "198.51.100.9", "campaign": {"source": "outer"}}
    event = only(events_of(batch(call(context={"groupId": "inner"}), context=outer), request()))
    assert (event.group, event.city, event.utm_source) == ("inner", "198.51.100.9", "outer")


def test_numbers_are_names_of_campaigns_too():
    campaign = {"name": 202601, "source": "news", "medium": 5, "term": None, "content": True}
    event = only(events_of(batch(call(context={"campaign": campaign})), request()))
    assert (event.utm_campaign, event.utm_source, event.utm_medium) == ("202601", "news", "5")
    assert (event.utm_term, event.utm_content) == ("", "")


def test_one_external_id_of_the_wrong_type_costs_the_others_nothing():
    ids = [5, None, {"id": "acme", "type": 7, "collection": "accounts"}, {"id": "a@acme.com", "type": "email"}]
    event = only(events_of(batch(call(context={"externalIds": ids})), request()))
    assert (event.group, event.email) == ("acme", "a@acme.com")


@pytest.mark.parametrize(
    ("canonical", "address"),
    [
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/ä"),
        ("https://Bücher.example:8443/ä", "https://xn--bcher-kva.example:8443/ä"),
        ("https://ex.com/ä?q=ü", "https://ex.com/ä?q=ü"),
        # How browsers write this one differs from how Python does.
        ("https://straße.example/", "https://straße.example/"),
        ("https://bü..cher/", "https://bü..cher/"),
        ("/pricing?p=3", "https://www.ex.com/pricing?p=3"),
        ("//cdn.ex.com/", "//cdn.ex.com/"),
        ("pricing", "pricing"),
        ("http://[ü", "http://[ü"),
    ],
)
def test_a_canonical_address_is_as_browsers_write_the_one_that_they_come_from(canonical, address):
    # The SDKs send the attribute as the page has it; with another host each page would be a referral of the one before.
    headers = {"user-agent": "a", "origin": "https://www.ex.com"}
    sent = body(type="page", anonymousId="v1", context={"page": {"url": canonical}})
    assert only(events_of(sent, request("/v1/p", headers=headers))).url == address


@pytest.mark.parametrize("headers", [{}, {"origin": "null"}])
def test_a_relative_address_of_a_server_or_of_a_page_without_origin_stays_one(headers):
    sent = batch(call(type="page", context={"page": {"url": "/pricing"}}))
    assert only(events_of(sent, request(headers=headers))).url == "/pricing"


@pytest.mark.parametrize(
    ("url", "search", "address"),
    [
        # What the browser's SDKs send where the page names a canonical address with parameters of its own.
        ("https://ex.com/?p=3", "?p=4&gclid=G1&utm_source=x", "https://ex.com/?p=3&gclid=G1&utm_source=x"),
        ("https://ex.com/?p=3#top", "?p=3&GCLID=G1", "https://ex.com/?p=3&GCLID=G1#top"),
        ("https://ex.com/?utm_source=a", "?utm_source=b&utm_medium=c", "https://ex.com/?utm_source=a&utm_medium=c"),
        ("https://ex.com/a?gclid=G1&b=2", "?gclid=G1&b=2", "https://ex.com/a?gclid=G1&b=2"),
        ("https://ex.com/a", "?token=t&utm_source=x", "https://ex.com/a?utm_source=x"),
        ("https://ex.com/a?", "utm_source=x", "https://ex.com/a?utm_source=x"),
        ("https://ex.com/a", "", "https://ex.com/a"),
        ("https://ex.com/a", 5, "https://ex.com/a"),
        ("", "?utm_source=x", ""),
    ],
)
def test_a_campaign_that_the_pages_canonical_address_lacks_is_that_of_its_search(url, search, address):
    page = {"url": url, "search": search}
    assert only(events_of(batch(call(context={"page": page})), request())).url == address
    assert only(events_of(batch(call(type="page", properties=page)), request())).url == address


def test_envelope_of_wrong_types_keeps_its_calls():
    assert only(events_of(batch(call(), sentAt={}, writeKey=5, context=[]), request())).user == "u1"


def test_alias_joins_the_previous_id_to_the_user():
    event = only(events_of(batch({"type": "alias", "previousId": "v9", "userId": "u1"}), request()))
    assert (event.type, event.visitor, event.user, event.node) == ("alias", "v9", "u1", "default/v:v9")


@pytest.mark.parametrize(
    ("said", "platform"),
    [
        ({"previousId": "v9", "anonymousId": "v9"}, "web"),
        ({"previousId": "v9"}, "web"),
        # The browser's SDK names the previous user, if there is one.
        ({"previousId": "u0", "anonymousId": "v9"}, "server"),
    ],
)
def test_an_alias_of_somebody_else_than_the_browsers_visitor_is_no_visit(said, platform):
    event = only(events_of(body(type="alias", userId="u1", **said), request("/v1/a")))
    assert (event.visitor, event.user, event.platform) == (said["previousId"], "u1", platform)


@pytest.mark.parametrize(
    ("said", "consent"),
    [(None, None), (True, None), ([], {}), ("no", {}), (False, {}), ({"categoryPreferences": []}, {})],
)
def test_a_consent_that_is_no_object_grants_nothing(said, consent):
    # PHP writes ``[]`` for the empty object.
    assert only(events_of(batch(call(context={"consent": said})), request())).consent == consent


COMPANY = {"id": "acme", "name": "Acme Inc.", "website": "https://www.acme.com/"}


@pytest.mark.parametrize(
    ("said", "account"),
    [
        ({"traits": {"company": COMPANY}}, "acme"),
        ({"traits": {"company": COMPANY | {"id": 42}}}, "42"),
        ({"context": {"traits": {"company": COMPANY}}}, "acme"),
        ({"traits": {"company": COMPANY}, "context": {"traits": {"company": {"id": "of the context"}}}}, "acme"),
        ({"traits": {"company": COMPANY}, "context": {"groupId": "beta"}}, "beta"),
        ({"traits": {"company": COMPANY | {"id": "null"}}}, ""),
        ({"traits": {"company": {"name": "Acme Inc."}}}, ""),
        ({"traits": {"company": "Acme Inc."}, "context": {"traits": {"company": ["acme"]}}}, ""),
        ({"traits": {"company": COMPANY}, "type": "track"}, ""),
        ({"context": {"traits": {"company": COMPANY}}, "type": "track"}, ""),
    ],
)
def test_the_company_of_an_identify_call_is_the_account_by_its_id_alone(said, account):
    event = only(events_of(batch(call(type="identify") | said), request()))
    assert (event.user, event.group, event.node) == ("u1", account, "default/u:u1")


def test_group_traits_are_the_accounts_and_give_the_person_no_email():
    item = {"type": "group", "userId": "u1", "groupId": "acme", "traits": {"email": "info@acme.com", "name": "Acme"}}
    event = only(events_of(batch(item), request()))
    assert (event.group, event.email) == ("acme", "")
    assert json.loads(bytes(event.traits))["name"] == "Acme"


def test_email_comes_from_traits_then_context_then_a_user_id_that_is_one():
    def email(**members):
        return only(events_of(batch({"type": "identify", "userId": "u1", **members}), request())).email

    assert email(traits={"email": " A@Acme.com "}, context={"traits": {"email": "b@acme.com"}}) == "a@acme.com"
    assert email(context={"traits": {"email": "B@acme.com"}}) == "b@acme.com"
    assert email(userId="C@acme.com") == "c@acme.com"
    assert email(traits={"email": "not an address"}) == ""


def test_external_ids_are_promoted():
    ids = [
        {"id": "acme", "type": "group_id", "collection": "accounts", "encoding": "none"},
        {"id": "D@acme.com", "type": "email", "collection": "users", "encoding": "none"},
        {"id": "v7", "type": "anonymous_id", "collection": "users", "encoding": "none"},
    ]
    event = only(events_of(batch(call(context={"externalIds": ids})), request()))
    assert (event.group, event.email, event.visitor, event.user) == ("acme", "d@acme.com", "v7", "u1")


def test_consent_is_kept_and_its_absence_is_not_a_refusal():
    context = {"consent": {"categoryPreferences": {"Analytics": False, "Advertising": True}}}
    assert only(events_of(batch(call(context=context)), request())).consent == {"Analytics": False, "Advertising": True}
    assert only(events_of(batch(call()), request())).consent is None


def test_php_empty_arrays_are_no_properties():
    event = only(events_of(batch(call(properties=[], traits=[])), request()))
    assert event.properties is event.traits
    assert "properties" not in repr(event.properties)


def test_a_page_call_of_a_server_has_its_place_in_the_properties():
    item = {"type": "page", "anonymousId": "v", "name": "Home", "properties": {"url": "https://e.com/", "title": "T"}}
    event = only(events_of(batch(item), request()))
    assert (event.url, event.title, event.name, event.platform) == ("https://e.com/", "T", "Home", "web")


def test_the_future_is_clamped_and_a_clock_a_day_wrong_is_suspect():
    def times(timestamp, sent_at):
        event = only(events_of(batch(call(timestamp=timestamp), sentAt=sent_at), request()))
        return event.at - RECEIVED_AT, event.clock_suspect

    assert times("9999-12-31T23:59:59Z", None) == (0, True)
    assert times("2026-01-02T03:04:06Z", None) == (0, False)
    assert times("2024-01-02T00:00:10Z", "2024-01-02T00:00:20Z") == (-10_000, True)
    assert times("1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z") == (-10_000, True)
    assert times(None, "2026-01-02T03:04:06Z") == (0, False)


@pytest.mark.parametrize(
    "timestamp", ["1999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "yesterday", "0001-01-01", -5, 1e300]
)
def test_times_that_nobody_can_work_with_are_refused(timestamp):
    assert reasons(events_of(batch(call(timestamp=timestamp)), request())) == [RejectReason.BAD_TIME]


def test_overflow_of_a_batch_is_refused_in_letters_of_many():
    calls = [call(messageId=str(n), properties={"x": "y" * 20_000}) for n in range(60)]
    parsed = events_of(batch(*calls), request(max_batch_events=3))
    kept = [item["messageId"] for refusal in parsed.rejected for item in json.loads(refusal.body)]
    assert kept == [str(n) for n in range(3, 60)]
    assert len(parsed.rejected) == 3


def test_what_is_beyond_a_batchs_limit_costs_no_neighbour():
    parsed = events_of(batch(*[call(messageId=str(n)) for n in range(5)]), request(max_batch_events=3))
    assert [event.id for event in parsed.events] == ["0", "1", "2"]
    assert reasons(parsed) == [RejectReason.TOO_MANY]


def test_an_event_beyond_the_limit_is_refused_and_its_neighbour_kept():
    parsed = events_of(batch(call(properties={"x": "y" * 40_000}), call()), request())
    assert (len(parsed.events), reasons(parsed)) == (1, [RejectReason.TOO_LARGE])


@pytest.mark.parametrize("depth", [65, 500, 10_000])
def test_deep_nesting_is_refused(depth):
    deep = json.dumps(call(properties={"a": 1})).encode().replace(b"1", b"[" * depth + b"]" * depth)
    parsed = events_of(b'{"batch":[' + deep + b"," + json.dumps(call()).encode() + b"]}", request())
    if parsed.fault is None:
        assert (len(parsed.events), reasons(parsed)) == (1, [RejectReason.TOO_DEEP])
    else:
        assert parsed.fault.reason is RejectReason.TOO_DEEP


def test_many_shallow_objects_are_not_deep():
    assert only(events_of(batch(call(properties={"list": [{}] * 200})), request())).name == "Signed Up"


@pytest.mark.parametrize("number", ["1e999", "-1e400", "1" + "0" * 5000])
def test_numbers_that_nothing_can_hold_do_not_crash(number):
    sent = json.dumps({"batch": [call(properties={"n": 0}), call()]}).replace('"n": 0', f'"n": {number}').encode()
    parsed = events_of(sent, request())
    assert len(parsed.events) + len(parsed.rejected) == 2


def test_lone_surrogates_and_nuls_are_replaced_and_the_neighbours_kept():
    sent = rb'{"batch":[{"type":"track","event":"a\ud800b\u0000c","userId":"u\u00001","properties":{"k":"\udfff\\u0000"}}]}'
    event = only(events_of(sent, request()))
    assert (event.name, event.user) == ("a\ufffdbc", "u1")
    assert json.loads(bytes(event.properties)) == {"k": "\ufffd\\u0000"}


def test_surrogate_pairs_are_untouched():
    assert only(events_of(rb'{"event":"\ud83d\ude00","userId":"u"}', request("/v1/track"))).name == "\U0001f600"


def test_one_call_in_latin_1_costs_only_itself():
    sent = b'{"batch":[{"type":"track","event":"caf\xe9","userId":"u"},{"type":"track","event":"ok","userId":"u"}]}'
    parsed = events_of(sent, request())
    assert (parsed.events[0].name, reasons(parsed)) == ("ok", [RejectReason.NOT_UTF8])


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[]", b"5", b"null", b'{"batch":{}}', b'{"batch":[{}', b"\xff\xfe{\x00}\x00", b"writeKey=dev"]
)
def test_a_body_that_is_no_batch_is_a_fault(sent):
    assert events_of(sent, request()).fault is not None


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[]", b"5", b"\xff", b'{"event":"E","userId":"u","x":"' + b"y" * 40_000 + b'"}']
)
def test_a_body_that_is_no_call_is_a_fault(sent):
    assert events_of(sent, request("/v1/track")).fault is not None


def test_python_not_a_number_costs_only_its_value():
    sent = batch(call(properties={"n": float("nan"), "i": float("-inf"), "s": "NaN"}), call())
    first, second = events_of(sent, request()).events
    assert json.loads(bytes(first.properties)) == {"n": None, "i": None, "s": "NaN"}
    assert second.name == "Signed Up"


def test_byte_order_mark_is_ignored():
    assert only(events_of(b"\xef\xbb\xbf" + batch(call()), request())).user == "u1"


def test_long_message_ids_stay_one_id():
    first, second = (only(events_of(batch(call(messageId="m" * 500)), request())).id for _ in range(2))
    assert first == second
    assert len(first) == 32


def test_missing_message_ids_get_fresh_ones():
    parsed = events_of(batch(call(), call(messageId=None), call(messageId="")), request())
    assert [event.id for event in parsed.events] == ["new-1", "new-2", "new-3"]


def test_consent_without_a_plain_yes_is_a_no():
    def consent(given):
        return only(events_of(batch(call(context={"consent": given})), request())).consent

    assert consent(None) is None
    assert consent({}) == consent({"categoryPreferences": {}}) == consent({"categoryPreferences": []}) == {}
    assert consent({"categoryPreferences": {"Analytics": "true", "Ads": 1, "Fun": True}}) == {
        "Analytics": False,
        "Ads": False,
        "Fun": True,
    }


def test_rudderstacks_consent_management_is_consent_by_the_ids_of_the_consent_manager():
    def consent(given, **more):
        return only(events_of(batch(call(context={"consentManagement": given} | more)), request())).consent

    one_trust = {"provider": "oneTrust", "allowedConsentIds": ["C0001", "C0002"], "deniedConsentIds": ["C0004"]}
    assert consent(one_trust | {"resolutionStrategy": "and"}) == {"C0001": True, "C0002": True, "C0004": False}
    assert consent({"allowedConsentIds": ["a", 5, None], "deniedConsentIds": ["a", "b"]}) == {"a": False, "b": False}
    assert consent(None) is None
    assert consent({}) == consent({"allowedConsentIds": "C0002"}) == consent({"allowedConsentIds": {"C0002": 1}}) == {}
    # Where both are said, a category needs both to be granted.
    preferences = {"categoryPreferences": {"C0001": True, "C0002": False, "x": True}}
    both = {"C0001": True, "C0002": False, "C0004": False, "x": True}
    assert consent(one_trust, consent=preferences) == both


@pytest.mark.parametrize(("denied", "user"), [([], "u1"), (["C0004"], "u1"), (["C0002"], "")])
def test_one_trusts_performance_category_stands_for_analytics(denied, user):
    allowed = [category for category in ("C0001", "C0002", "C0003", "C0004") if category not in denied]
    given = {"provider": "oneTrust", "allowedConsentIds": allowed, "deniedConsentIds": denied}
    event = only(events_of(batch(call(userId="u1", context={"consentManagement": given})), request()))
    respect([event])
    assert event.user == user


def test_a_changed_consent_counts_for_the_event_that_says_so():
    item = call(
        event="Segment Consent Preference Updated", context={"consent": {"categoryPreferences": {"Analytics": False}}}
    )
    event = only(events_of(batch(item), request()))
    respect([event])
    assert (event.name, event.consent) == ("Segment Consent Preference Updated", {"Analytics": False})
    assert (event.user, event.node.startswith("default/v:")) == ("", True)


def test_a_direct_call_of_a_server_library_has_the_connections_address_but_not_its_agent():
    event = only(events_of(batch(call(context={"direct": True})), request()))
    assert (event.city, event.browser) == ("203.0.113.7", "")
    event = only(events_of(batch(call(context={"direct": True, "ip": "198.51.100.1"})), request()))
    assert event.city == "198.51.100.1"


def test_who_signs_up_gives_his_address_and_who_invites_gives_anothers():
    def email(**members):
        return only(events_of(batch(call(**members)), request())).email

    assert email(event="Signed Up", properties={"email": "Ann@acme.com"}) == "ann@acme.com"
    own = {"traits": {"email": "own@acme.com"}}
    assert email(event="Signed Up", properties={"email": "ann@acme.com"}, context=own) == "own@acme.com"
    assert email(event="Invite Sent", properties={"invitee_email": "bob@acme.com", "email": "bob@acme.com"}) == ""
