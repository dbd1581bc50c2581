"""Snowplow tracker protocol."""

import base64
import json
from urllib.parse import urlencode

import pytest

from schemas.rejections import RejectReason
from stream.collect.adapters.snowplow import events_of
from tests.unit.collect.senders import RECEIVED_AT, SHOP, only, request

UE = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
INNER = {"schema": "iglu:com.acme/demo_requested/jsonschema/1-0-0", "data": {"plan": "pro??>>~~", "seats": 3}}
CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/{}"
ENTITY = {"schema": "iglu:com.acme/user/jsonschema/1-0-0", "data": {"role": "cto"}}


def post(*items, **changes):
    sent = {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": list(items)}
    return events_of(json.dumps(sent).encode(), request("/com.snowplowanalytics.snowplow/tp2", **changes))


def get(**params):
    return events_of(b"", request("/i", source=None, query=urlencode(params)))


def item(**params):
    return {"e": "pv", "aid": "dev", "p": "web", "tv": "js-4.0", "duid": "d1", **params}


def wrapped(**members):
    return json.dumps(members)


def test_page_view_has_all_its_fields():
    event = only(
        post(
            item(
                eid="4c6c1b3a-0000-4000-8000-000000000001",
                url="https://example.com/?utm_source=x",
                page="Pricing",
                refr="https://www.google.com/",
                uid="u1",
                sid="s1",
                lang="de",
                dtm="1767323040000",
                stm="1767323045000",
            )
        )
    )
    assert (event.type, event.id, event.protocol) == ("page", "4c6c1b3a-0000-4000-8000-000000000001", "snowplow")
    assert (event.url, event.title, event.referrer) == (
        "https://example.com/?utm_source=x",
        "Pricing",
        "https://www.google.com/",
    )
    assert (event.visitor, event.user, event.node) == ("d1", "u1", "default/v:d1")
    assert (event.at, event.original_at) == (RECEIVED_AT - 5000, 1767323040000)
    assert (event.client_session, event.locale, event.library, event.platform) == ("s1", "de", "js-4.0", "web")
    assert (event.city, event.browser) == ("203.0.113.7", "socket-agent")


def test_get_and_post_say_the_same():
    params = item(eid="e1", url="https://example.com/ä?a=b c", dtm="1767323040000", stm="1767323045000")
    assert only(get(**params)) == only(post(params))


@pytest.mark.parametrize("name", ["ue_px", "ue_pr"])
@pytest.mark.parametrize("alphabet", [base64.urlsafe_b64encode, base64.b64encode])
@pytest.mark.parametrize("padded", [True, False])
def test_self_describing_events_come_plain_and_in_any_base64(name, alphabet, padded):
    text = wrapped(schema=UE, data=INNER)
    if name == "ue_px":
        text = alphabet(text.encode()).decode()
        text = text if padded else text.rstrip("=")
    event = only(post(item(e="ue", **{name: text})))
    assert (event.type, event.name) == ("track", "demo_requested")
    assert json.loads(bytes(event.properties)) == INNER["data"]


@pytest.mark.parametrize("version", ["1-0-0", "1-0-1"])
def test_entities_are_kept_under_contexts(version):
    event = only(
        post(
            item(
                e="ue", ue_pr=wrapped(schema=UE, data=INNER), co=wrapped(schema=CONTEXTS.format(version), data=[ENTITY])
            )
        )
    )
    assert json.loads(bytes(event.properties)) == INNER["data"] | {"contexts": [ENTITY]}


def test_struct_event_has_its_five_parts():
    event = only(post(item(e="se", se_ca="video", se_ac="play", se_la="intro", se_pr="p", se_va="1.50")))
    assert event.name == "play"
    assert json.loads(bytes(event.properties)) == {
        "category": "video",
        "action": "play",
        "label": "intro",
        "property": "p",
        "value": 1.5,
    }


def test_page_ping_counts_one_heartbeat_with_its_scroll():
    event = only(post(item(e="pp", pp_mix="0", pp_max="10", pp_miy="0", pp_may="700")))
    assert (event.type, event.engaged_ms) == ("ping", 10_000)
    assert json.loads(bytes(event.properties)) == {"min_x": 0, "max_x": 10, "min_y": 0, "max_y": 700}


def test_pings_of_a_page_view_within_one_heartbeat_are_one_event_however_often_they_are_sent():
    def ping(dtm, page="p1", **changes):
        web_page = {"schema": "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0", "data": {"id": page}}
        sent = item(e="pp", eid=f"eid-{dtm}", dtm=str(dtm), stm=str(dtm))
        return only(post(sent | {"co": wrapped(schema=CONTEXTS.format("1-0-0"), data=[web_page])}, **changes)).id

    begin = 1767323040000
    assert ping(begin) == ping(begin + 5000) == ping(begin + 9999) == ping(begin, received_at=RECEIVED_AT + 60_000)
    assert len({ping(begin), ping(begin + 10_000), ping(begin, page="p2")}) == 3
    assert ping(begin, page="") == f"eid-{begin}", "a ping of no page view keeps its own id"
    assert only(post(item(e="pp", eid="eid"))).id == "eid"


def test_legacy_transaction_is_a_track_event():
    event = only(post(item(e="tr", tr_id="o1", tr_tt="99.90", tr_cu="EUR")))
    assert event.name == "transaction"
    assert json.loads(bytes(event.properties)) == {"order_id": "o1", "total": 99.9, "currency": "EUR"}


def test_screen_view_is_a_screen():
    view = {"schema": "iglu:com.snowplowanalytics.mobile/screen_view/jsonschema/1-0-0", "data": {"name": "Home"}}
    event = only(post(item(e="ue", p="mob", ue_pr=wrapped(schema=UE, data=view))))
    assert (event.type, event.name, event.platform) == ("screen", "Home", "app")


def test_network_user_id_is_tnuid_then_nuid_then_the_cookie():
    def visitor(network_id="", **params):
        return only(post(item(duid=None, **params), network_id=network_id)).visitor

    assert visitor(tnuid="t", nuid="n", network_id="c") == "t"
    assert visitor(nuid="n", network_id="c") == "n"
    assert visitor(network_id="c") == "c"


def test_anonymous_tracking_keeps_no_network_id_and_no_address():
    headers = {"user-agent": "agent", "sp-anonymous": "*"}
    parsed = post(item(duid=None, nuid="n", uid="u"), headers=headers, network_id="cookie")
    assert (only(parsed).visitor, only(parsed).city, only(parsed).browser) == ("", "", "agent")


def anonymous(**params):
    """The visitor of an event that names nobody, sent in Snowplow's anonymous mode."""
    headers = {"user-agent": "agent", "sp-anonymous": "*"}
    event = only(
        post(item(**{"duid": None, "nuid": "n", "tnuid": "t", **params}), headers=headers, network_id="cookie")
    )
    assert (event.user, event.email, event.node) == ("", "", f"default/v:{event.visitor}")
    return event.visitor


def test_anonymous_events_are_their_sessions_or_else_their_own():
    # By hand: printf 'unnamed\037default\037website\037s1' | b2sum -l 128
    session, alone = "7a02df17ec4e0d05dd4f9be64c823d21", "89957ae249c9595e64c1c67aa7fc2c06"
    assert anonymous(eid="e1", sid="s1") == anonymous(eid="e2", sid="s1") == session
    assert anonymous(eid="e1") == anonymous(eid="e1", sid="null") == alone
    assert anonymous(eid="e2") not in {session, alone}


def test_a_session_without_domain_user_is_no_cookies():
    def visitor(**params):
        return only(post(item(duid=None, eid="e1", **params), network_id="cookie")).visitor

    assert visitor(sid="s1") == anonymous(sid="s1")
    assert visitor(sid="s1", uid="u1") == "cookie", "who is named is not anonymous"
    assert visitor(sid="s1", nuid="n") == "n"
    assert visitor() == "cookie"


def test_an_app_that_hides_its_installation_is_its_session():
    nobody = {"userId": "00000000-0000-0000-0000-000000000000", "sessionId": "s1"}
    session = {"schema": "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2", "data": nobody}
    event = only(post(item(p="mob", duid=None, co=wrapped(schema=CONTEXTS.format("1-0-0"), data=[session]))))
    assert (event.visitor, event.client_session) == (anonymous(sid="s1"), "s1")


def test_servers_do_not_lend_their_address_agent_or_cookie():
    event = only(post(item(p="srv", duid=None, uid="u"), network_id="cookie"))
    assert (event.city, event.browser, event.visitor, event.platform) == ("", "", "", "server")


def test_payload_address_and_agent_override_the_connection():
    event = only(post(item(p="srv", ip="198.51.100.1", ua="theirs")))
    assert (event.city, event.browser) == ("198.51.100.1", "theirs")


def test_app_installation_is_the_visitor_of_an_app():
    session = {
        "schema": "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2",
        "data": {"userId": "install-1", "sessionId": "s-1"},
    }
    event = only(post(item(p="mob", duid=None, co=wrapped(schema=CONTEXTS.format("1-0-0"), data=[session]))))
    assert (event.visitor, event.client_session) == ("install-1", "s-1")


def test_sent_before_created_counts_as_sent_when_created():
    assert only(post(item(dtm="1767323045453", stm="1767323045000"))).at == RECEIVED_AT


def test_true_timestamp_wins():
    assert only(post(item(ttm="1767000000000", dtm="1767323040000", stm="1767323045000"))).at == 1767000000000


def test_app_id_names_the_source_of_each_event():
    parsed = post(item(), item(aid="shop-key"), item(aid="nope"), source=None)
    assert [event.tenant for event in parsed.events] == ["default", SHOP.tenant]
    assert [refusal.reason for refusal in parsed.rejected] == [RejectReason.UNKNOWN_KEY]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"e": "xx"}, RejectReason.UNSUPPORTED),
        ({"e": None}, RejectReason.UNSUPPORTED),
        ({"e": "se", "se_ca": "c"}, RejectReason.MISSING_FIELD),
        ({"e": "ue"}, RejectReason.MISSING_FIELD),
        ({"e": "ue", "ue_px": "%%%"}, RejectReason.BAD_VALUE),
        ({"e": "ue", "ue_px": "e30"}, RejectReason.BAD_VALUE),
        ({"e": "ue", "ue_pr": '{"schema":"x","data":' + "[" * 100 + "]" * 100 + "}"}, RejectReason.TOO_DEEP),
        ({"cx": "AAAA"}, RejectReason.BAD_VALUE),
        ({"duid": None}, RejectReason.MISSING_FIELD),
        ({"duid": "null", "uid": "undefined"}, RejectReason.MISSING_FIELD),
        ({"dtm": "soon"}, RejectReason.BAD_TIME),
        ({"dtm": "5"}, RejectReason.BAD_TIME),
        ({"url": "x" * 40_000}, RejectReason.TOO_LARGE),
    ],
)
def test_bad_events_are_refused_and_their_neighbours_kept(params, reason):
    parsed = post(item(**params), item(eid="good"))
    assert [event.id for event in parsed.events] == ["good"]
    assert [refusal.reason for refusal in parsed.rejected] == [reason]


@pytest.mark.parametrize("sent", [b"{", b"[]", b'{"data":5}', b"{}", b"\xff"])
def test_a_body_that_is_no_payload_is_a_fault(sent):
    assert events_of(sent, request()).fault is not None


def test_query_of_thousands_of_parameters_is_refused():
    parsed = events_of(b"", request("/i", query="&".join("a=1" for _ in range(5000))))
    assert [refusal.reason for refusal in parsed.rejected] == [RejectReason.TOO_MANY]


def test_numbers_instead_of_texts_are_understood():
    assert only(post(item(dtm=1767323040000, stm=1767323045000))).at == RECEIVED_AT - 5000
