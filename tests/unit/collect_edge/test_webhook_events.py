"""What providers report becomes our email events: the table of names, ids, times, machines, whose it is."""

import json
from typing import Any

import pytest

from schemas.event import EMAIL_EVENTS
from schemas.rejections import RejectReason
from stream.collect.request import Edge
from stream.settings import Webhook
from tests.support.webhooks import AT_MS, EMAIL_SENDERS, PERSON, SENDERS, URL
from tests.unit.collect_edge.deliveries import BY_NAME, SENT_S, merged, only, parsed, read
from tests.unit.collect_edge.requests import NOW, properties, request

GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
CUSTOM: dict[str, Any] = {name: {"offer": "a7"} for name in EMAIL_SENDERS} | {
    "ses": {"campaign": ["spring"], "offer": ["a7"]},
    "resend": {"campaign": "spring", "offer": "a7"},
    "brevo": {"X-Mailin-custom": "a7"},
}


@pytest.mark.parametrize("name", EMAIL_SENDERS)
def test_a_click_is_an_event_of_the_recipient_and_the_same_whoever_reports_it(name):
    event = only(name, SENDERS[name].click)
    assert (event.type, event.name, event.node, event.email) == (
        "email",
        "clicked",
        "acme/e:ann@acme.com",
        "ann@acme.com",
    )
    assert (event.tenant, event.source, event.protocol, event.platform) == ("acme", "main", name, "server")
    assert (event.at, event.received_at, event.url) == (AT_MS, NOW, URL)
    assert (event.bot, event.bot_reason, event.browser, event.os) == ("", "", "Chrome", "Windows")
    assert properties(event) == {
        "message_id": "m-1", "campaign": "spring", "url": URL, "reason": "", "useragent": "Chrome", "custom": CUSTOM[name],
    }  # fmt: skip
    assert event.id
    assert "203.0.113" not in repr(event)


def sendgrid(event: str, **more: Any) -> Any:
    return merged(SENDERS["sendgrid"].click, {"event": event, **more})


def mailgun(event: str, **more: Any) -> Any:
    return merged(SENDERS["mailgun"].click, {"event": event, **more})


def postmark(kind: str, **more: Any) -> Any:
    base = {"RecordType": kind, "MessageID": "m-1", "Recipient": "ann@acme.com", "Tag": "spring"}
    return base | more


def bounce(kind: str) -> Any:
    return {
        "RecordType": "Bounce", "ID": 4323372036854775807, "Type": kind, "TypeCode": 1, "MessageID": "m-1",
        "Email": "ann@acme.com", "BouncedAt": "2026-01-02T04:03:05.0000000+01:00", "Details": "smtp;550 5.1.1",
    }  # fmt: skip


def ses(kind: str, **details: Any) -> Any:
    name = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}.get(kind, kind.lower())
    base = {"eventType": kind, "mail": SENDERS["ses"].click["mail"]}
    return base | {name: {"timestamp": "2026-01-02T03:03:05Z"} | details}


def mandrill(event: str, **more: Any) -> Any:
    return merged(SENDERS["mandrill"].click, {"event": event, **more})


def resend(kind: str, **more: Any) -> Any:
    return merged(SENDERS["resend"].click, {"type": kind, "data": {"click": ...} | more})


def brevo(event: str, **more: Any) -> Any:
    return merged(SENDERS["brevo"].click, {"event": event, **more})


@pytest.mark.parametrize(
    ("name", "payload", "ours"),
    [
        ("sendgrid", sendgrid("processed"), "sent"),
        ("sendgrid", sendgrid("delivered"), "delivered"),
        ("sendgrid", sendgrid("deferred"), "deferred"),
        ("sendgrid", sendgrid("bounce"), "bounced"),
        ("sendgrid", sendgrid("dropped"), "rejected"),
        ("sendgrid", sendgrid("open"), "opened"),
        ("sendgrid", sendgrid("spamreport"), "complained"),
        ("sendgrid", sendgrid("unsubscribe"), "unsubscribed"),
        ("sendgrid", sendgrid("group_unsubscribe"), "unsubscribed"),
        ("sendgrid", sendgrid("group_resubscribe"), "subscribed"),
        ("mailgun", mailgun("accepted"), "sent"),
        ("mailgun", mailgun("delivered"), "delivered"),
        ("mailgun", mailgun("failed", severity="temporary"), "deferred"),
        ("mailgun", mailgun("failed", severity="permanent"), "bounced"),
        ("mailgun", mailgun("rejected"), "rejected"),
        ("mailgun", mailgun("opened"), "opened"),
        ("mailgun", mailgun("complained"), "complained"),
        ("mailgun", mailgun("unsubscribed"), "unsubscribed"),
        ("postmark", postmark("Delivery", DeliveredAt="2026-01-02T03:03:05Z"), "delivered"),
        ("postmark", bounce("Transient"), "deferred"),
        ("postmark", bounce("DnsError"), "deferred"),
        ("postmark", bounce("HardBounce"), "bounced"),
        ("postmark", bounce("SoftBounce"), "bounced"),
        ("postmark", bounce("BadEmailAddress"), "rejected"),
        ("postmark", bounce("Blocked"), "rejected"),
        ("postmark", bounce("ManuallyDeactivated"), "rejected"),
        ("postmark", postmark("Open", ReceivedAt="2026-01-02T03:03:05Z"), "opened"),
        ("postmark", merged(bounce("SpamComplaint"), {"RecordType": "SpamComplaint"}), "complained"),
        (
            "postmark",
            postmark(
                "SubscriptionChange",
                SuppressSending=True,
                SuppressionReason="ManualSuppression",
                ChangedAt="2026-01-02T03:03:05Z",
            ),
            "unsubscribed",
        ),
        (
            "postmark",
            postmark(
                "SubscriptionChange", SuppressSending=False, SuppressionReason=None, ChangedAt="2026-01-02T03:03:05Z"
            ),
            "subscribed",
        ),
        (
            "ses",
            merged(ses("Send"), {"mail": {"timestamp": "2026-01-02T03:03:05Z"}, "send": {"timestamp": ...}}),
            "sent",
        ),
        ("ses", ses("Delivery", recipients=["ann@acme.com"]), "delivered"),
        ("ses", ses("DeliveryDelay", delayedRecipients=[{"emailAddress": "ann@acme.com"}]), "deferred"),
        ("ses", ses("Bounce", bouncedRecipients=[{"emailAddress": "ann@acme.com"}]), "bounced"),
        ("ses", ses("Reject", reason="Bad content"), "rejected"),
        ("ses", ses("Rendering Failure", errorMessage="Attribute 'a' is not present"), "rejected"),
        ("ses", ses("Open", userAgent=PERSON), "opened"),
        ("ses", ses("Complaint", complainedRecipients=[{"emailAddress": "ann@acme.com"}]), "complained"),
        ("ses", ses("Subscription", newTopicPreferences={"unsubscribeAll": True}), "unsubscribed"),
        ("ses", ses("Subscription", newTopicPreferences={"unsubscribeAll": False}), "subscribed"),
        ("mandrill", mandrill("delivered"), "delivered"),
        ("mandrill", mandrill("send"), "sent"),
        ("mandrill", mandrill("deferral"), "deferred"),
        ("mandrill", mandrill("hard_bounce"), "bounced"),
        ("mandrill", mandrill("soft_bounce"), "bounced"),
        ("mandrill", mandrill("reject"), "rejected"),
        ("mandrill", mandrill("open"), "opened"),
        ("mandrill", mandrill("spam"), "complained"),
        ("mandrill", mandrill("unsub"), "unsubscribed"),
        ("resend", resend("email.sent"), "sent"),
        ("resend", resend("email.delivered"), "delivered"),
        ("resend", resend("email.delivery_delayed"), "deferred"),
        ("resend", resend("email.bounced", bounce={"message": "inbox was full"}), "bounced"),
        ("resend", resend("email.opened"), "opened"),
        ("resend", resend("email.complained"), "complained"),
        ("brevo", brevo("request"), "sent"),
        ("brevo", brevo("delivered"), "delivered"),
        ("brevo", brevo("deferred"), "deferred"),
        ("brevo", brevo("hard_bounce"), "bounced"),
        ("brevo", brevo("soft_bounce"), "bounced"),
        ("brevo", brevo("invalid_email"), "bounced"),
        ("brevo", brevo("blocked"), "rejected"),
        ("brevo", brevo("opened"), "opened"),
        ("brevo", brevo("unique_opened"), "opened"),
        ("brevo", brevo("proxy_open"), "opened"),
        ("brevo", brevo("unique_proxy_open"), "opened"),
        ("brevo", brevo("spam"), "complained"),
        ("brevo", brevo("complaint"), "complained"),
        ("brevo", brevo("unsubscribe"), "unsubscribed"),
        ("brevo", brevo("list_addition"), "subscribed"),
    ],
)
def test_every_event_has_its_canonical_name_at_its_own_time(name, payload, ours):
    event = only(name, payload)
    assert (event.name, event.email, event.at) == (ours, "ann@acme.com", AT_MS)
    assert ours in EMAIL_EVENTS


@pytest.mark.parametrize(
    ("name", "payload", "bot", "reason"),
    [
        ("sendgrid", sendgrid("open", sg_machine_open=True), "machine", "sg_machine_open"),
        ("sendgrid", sendgrid("open", sg_machine_open=True, useragent=GMAIL), "machine", "sg_machine_open"),
        ("sendgrid", sendgrid("open", sg_machine_open=False), "", ""),
        ("sendgrid", sendgrid("open", useragent="Mozilla/5.0"), "machine", "apple-mpp"),
        ("sendgrid", sendgrid("open", useragent=GMAIL), "", ""),
        ("sendgrid", sendgrid("open", useragent="python-requests/2.32"), "machine", "python-requests"),
        ("sendgrid", sendgrid("click", useragent="Mozilla/5.0"), "", ""),
        ("sendgrid", sendgrid("click", useragent="Barracuda Sentinel (EE)"), "scanner", "barracuda"),
        ("sendgrid", sendgrid("delivered", useragent="python-requests/2.32"), "", ""),
        ("mailgun", mailgun("opened", **{"client-info": {"bot": "apple"}}), "machine", "mailgun-apple"),
        ("mailgun", mailgun("opened", **{"client-info": {"bot": "generic"}}), "machine", "mailgun-generic"),
        ("mailgun", mailgun("opened", **{"client-info": {"bot": "gmail"}}), "", ""),
        ("mailgun", mailgun("opened", **{"client-info": {"user-agent": "Mozilla/5.0"}}), "machine", "apple-mpp"),
        ("mailgun", mailgun("clicked", **{"client-info": {"bot": "generic"}}), "scanner", "mailgun-generic"),
        ("mailgun", mailgun("opened", **{"client-info": None}), "", ""),
        (
            "postmark",
            postmark("Open", ReceivedAt="2026-01-02T03:03:05Z", UserAgent="Mozilla/5.0"),
            "machine",
            "apple-mpp",
        ),
        ("ses", ses("Open", userAgent="Mozilla/5.0"), "machine", "apple-mpp"),
        ("ses", ses("Open", userAgent=GMAIL), "", ""),
        ("mandrill", mandrill("open", user_agent="Mozilla/5.0"), "machine", "apple-mpp"),
        ("resend", resend("email.opened", open={"userAgent": "Mozilla/5.0"}), "machine", "apple-mpp"),
        ("resend", resend("email.clicked", click={"userAgent": "Proofpoint"}), "scanner", "proofpoint"),
        ("brevo", brevo("proxy_open"), "machine", "brevo-proxy-open"),
        ("brevo", brevo("unique_proxy_open"), "machine", "brevo-proxy-open"),
        ("brevo", brevo("opened", user_agent="Mozilla/5.0"), "machine", "apple-mpp"),
    ],
)
def test_machines_that_open_and_click_are_marked(name, payload, bot, reason):
    event = only(name, payload)
    assert (event.bot, event.bot_reason) == (bot, reason)


def test_a_click_from_a_gateways_network_says_so_and_is_no_machines_for_that():
    def enrich(_address, _agent):
        return Edge(gateway="mimecast.com")

    for name, gateway in (("click", "mimecast.com"), ("open", None)):  # images are fetched by proxies
        payload = [{"event": name, "email": "ann@acme.com", "timestamp": SENT_S, "sg_event_id": "1"}]
        asked = request(webhook=SENDERS["sendgrid"].webhook, enrich=enrich)
        (event,) = BY_NAME["sendgrid"].events_of(json.dumps(payload).encode(), asked).events
        assert (event.bot, properties(event).get("gateway")) == ("", gateway)


def test_behind_googles_proxy_somebody_reads_of_whom_nothing_else_is_known():
    event = only("sendgrid", sendgrid("open", useragent=GMAIL))
    assert (event.bot, event.browser, event.os, event.device, event.country, event.city) == ("", "", "", "", "", "")


# -- whose ---------------------------------------------------------------------------------------------------------------

MANY = {
    "ses": lambda people: merged(SENDERS["ses"].click, {"mail": {"destination": people}}),
    "resend": lambda people: merged(SENDERS["resend"].click, {"data": {"to": people[:1], "cc": people[1:]}}),
}


@pytest.mark.parametrize("name", MANY)
def test_with_several_recipients_of_one_company_it_is_the_companys_and_nobodys(name):
    event = only(name, MANY[name](["Ann Lee <Ann@acme.com>", "bob@mail.acme.com"]))
    assert (event.node, event.email, event.user, event.visitor) == ("acme/d:acme.com", "", "", "")
    assert properties(event)["recipients"] == 2


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize(
    "people",
    [["ann@acme.com", "eve@globex.com"], ["ann@acme.com", "joe@gmail.com"], ["joe@gmail.com", "jim@gmail.com"]],
)
def test_with_recipients_of_several_companies_or_of_none_it_is_nobodys(name, people):
    event = only(name, MANY[name](people))
    assert event.node.startswith("acme/o:mail/")
    assert (event.email, event.user, event.visitor, event.group) == ("", "", "", "")
    assert not any(address in repr(event) for address in people)


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize(
    "people",
    [
        ["ann@acme.com", "bad"],
        ["ann@acme.com", "undisclosed-recipients:;"],
        ["ann@acme.com", "bob@acme.com", "@acme.com"],
        ["ann@acme.com", 7],
        ["ann@acme.com", "(" * 5000 + "eve@globex.com"],
    ],
)
def test_with_a_recipient_of_whom_nothing_is_known_it_is_nobodys(name, people):
    event = only(name, MANY[name](people))
    assert event.node.startswith("acme/o:mail/")
    assert event.email == ""
    assert properties(event)["recipients"] == (3 if len(people) == 3 else 2)


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("nothing", ["", None, "  "])
def test_an_empty_recipient_is_none(name, nothing):
    assert only(name, MANY[name](["ann@acme.com", nothing])).node == "acme/e:ann@acme.com"


@pytest.mark.parametrize("name", MANY)
def test_one_recipient_named_twice_is_one(name):
    assert only(name, MANY[name](["ann@acme.com", "Ann <ANN@acme.com>"])).node == "acme/e:ann@acme.com"


def test_ses_says_of_each_recipient_what_it_knows_of_each():
    found = parsed("ses", ses("Delivery", recipients=["ann@acme.com", "eve@globex.com"]))
    assert [event.node for event in found.events] == ["acme/e:ann@acme.com", "acme/e:eve@globex.com"]
    assert len({event.id for event in found.events}) == 2
    refused = parsed("ses", ses("Delivery", recipients=["ann@acme.com", "?"]))
    assert [event.email for event in refused.events] == ["ann@acme.com"]
    assert [(r.reason, r.detail) for r in refused.rejected] == [(RejectReason.MISSING_FIELD, "recipient")]


# -- ids: a repeat is the same event -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SENDERS)
def test_sent_again_it_is_the_same_event_and_at_another_time_another(name):
    first, again = only(name, SENDERS[name].click), only(name, SENDERS[name].click)
    assert first == again
    field = {"mailgun": "timestamp", "sendgrid": "sg_event_id", "postmark": "ReceivedAt", "mandrill": "ts"}
    later = {
        "ses": {"click": {"timestamp": "2026-01-02T03:03:06Z"}}, "resend": {"created_at": "2026-01-02T03:03:06Z"},
        "brevo": {"ts_epoch": AT_MS + 1000}, "hubspot": {"occurredAt": AT_MS + 1000}, "sendgrid": {"sg_event_id": "x"},
        "postmark": {"ReceivedAt": "2026-01-02T03:03:06Z"},
    }.get(name) or {field[name]: AT_MS // 1000 + 1}  # fmt: skip
    assert only(name, merged(SENDERS[name].click, later)).id != first.id


@pytest.mark.parametrize("name", ["sendgrid", "postmark", "mandrill", "brevo"])
@pytest.mark.parametrize("other", ["url", "recipient", "message"])
def test_a_derived_id_tells_apart_what_is_not_the_same(name, other):
    fields = {
        "sendgrid": {"url": "url", "recipient": "email", "message": "sg_message_id"},
        "postmark": {"url": "OriginalLink", "recipient": "Recipient", "message": "MessageID"},
        "mandrill": {"url": "url", "message": "_id"},
        "brevo": {"url": "link", "recipient": "email", "message": "message-id"},
    }[name]
    click = merged(SENDERS[name].click, {"sg_event_id": ...})
    change = {fields[other]: "other@acme.com"} if other in fields else {"msg": {"email": "other@acme.com"}}
    assert only(name, merged(click, change)).id != only(name, click).id


def test_the_ids_that_providers_promise_are_used():
    assert only("sendgrid", SENDERS["sendgrid"].click).id == "c2ctZXZlbnQ"
    assert only("postmark", bounce("HardBounce")).id == "postmark-4323372036854775807"
    signed = SENDERS["mailgun"].sign(SENDERS["mailgun"].click, SENT_S)
    (event,) = read("mailgun", signed.body).events
    assert event.id == json.loads(signed.body)["signature"]["token"]
    signed = SENDERS["resend"].sign(SENDERS["resend"].click, SENT_S)
    (event,) = read("resend", signed.body, signed.headers).events
    assert event.id == signed.headers["svix-id"]


def test_brevos_first_open_is_one_with_the_same_open():
    assert only("brevo", brevo("unique_opened")).id == only("brevo", brevo("opened")).id
    assert only("brevo", brevo("proxy_open")).id != only("brevo", brevo("opened")).id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (mandrill("soft_bounce"), mandrill("hard_bounce")),
        (brevo("soft_bounce"), brevo("hard_bounce")),
        (brevo("blocked"), brevo("error")),
    ],
)
def test_two_kinds_of_bounces_in_one_moment_are_two(one, other):
    name = "brevo" if "ts_epoch" in one else "mandrill"
    assert only(name, one).id != only(name, other).id
    assert only(name, one).id == only(name, one).id


@pytest.mark.parametrize("nothing", [0, "0", None, "", ...])
def test_bounces_of_postmark_without_an_id_are_told_apart_by_what_else_is_known(nothing):
    bare = merged(bounce("SoftBounce"), {"ID": nothing})
    assert only("postmark", bare).id == only("postmark", bare).id
    for change in (
        {"MessageID": "m-2"},
        {"BouncedAt": "2026-01-02T03:03:06Z"},
        {"Email": "bob@acme.com"},
        {"Type": "HardBounce"},
    ):
        assert only("postmark", merged(bare, change)).id != only("postmark", bare).id


def test_brevo_names_contacts_of_a_list_in_a_list():
    found = parsed("brevo", brevo("list_addition", email=["ann@acme.com", "eve@globex.com", "?"]))
    assert [(event.name, event.email) for event in found.events] == [
        ("subscribed", "ann@acme.com"),
        ("subscribed", "eve@globex.com"),
    ]
    assert [(r.reason, r.detail) for r in found.rejected] == [(RejectReason.MISSING_FIELD, "recipient")]
    assert len({event.id for event in found.events}) == 2
    assert only("brevo", brevo("click", email=["ann@acme.com"])) == only("brevo", brevo("click"))


def test_brevo_does_not_say_who_of_a_list_clicked():
    event = only("brevo", brevo("click", email=["ann@acme.com", "bob@acme.com"]))
    assert (event.node, event.email) == ("acme/d:acme.com", "")


def test_brevos_campaigns_have_another_name_for_the_link():
    click = brevo("click", link=..., URL="https://example.com/pricing")
    assert only("brevo", click).url == "https://example.com/pricing"
    assert only("brevo", click).id != only("brevo", merged(click, {"URL": "https://example.com/docs"})).id


# -- traps ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["HardBounce", "SpamComplaint"])
def test_postmark_what_a_bounce_or_complaint_suppressed_is_no_unsubscribe(why):
    change = postmark(
        "SubscriptionChange", SuppressSending=True, SuppressionReason=why, ChangedAt="2026-01-02T03:03:05Z"
    )
    found = parsed("postmark", change)
    assert (found.events, found.rejected, found.ignored) == ([], [], 1)


@pytest.mark.parametrize("kind", ["AutoResponder", "AddressChange", "OpenRelayTest", "Unknown"])
def test_postmark_other_answers_of_mail_servers_are_refused_by_name(kind):
    (refusal,) = parsed("postmark", bounce(kind)).rejected
    assert (refusal.reason, refusal.detail) == (RejectReason.UNSUPPORTED, "Type")


def test_mailgun_a_rejected_mail_names_its_recipient_in_the_headers():
    change = {"recipient": ..., "message": {"headers": {"to": "Ann <ann@acme.com>"}}, "reject": {"reason": "no DKIM"}}
    event = only("mailgun", merged(mailgun("rejected"), change))
    assert (event.email, properties(event)["reason"]) == ("ann@acme.com", "no DKIM")


def test_brevo_times_in_local_zones_are_not_taken():
    event = only("brevo", merged(SENDERS["brevo"].click, {"ts_epoch": ...}))
    assert (event.at, event.original_at) == (NOW, 0)


def test_brevo_sends_arrays_too():
    found = parsed("brevo", [SENDERS["brevo"].click, brevo("opened")])
    assert [event.name for event in found.events] == ["clicked", "opened"]


def test_resend_the_time_is_the_events_not_the_messages():
    event = only("resend", merged(SENDERS["resend"].click, {"created_at": "2026-01-02T03:00:00Z"}))
    assert event.at == AT_MS - 185_000


def test_ses_the_old_notifications_have_another_name_for_the_type():
    old = merged(
        ses("Bounce", bouncedRecipients=[{"emailAddress": "ann@acme.com", "diagnosticCode": "550"}]), {"eventType": ...}
    )
    event = only("ses", old | {"notificationType": "Bounce", "bounce": old["bounce"] | {"bounceType": "Permanent"}})
    assert (event.name, properties(event)["reason"]) == ("bounced", "550, Permanent")


def test_ses_leaving_a_list_is_an_unsubscribe_and_coming_back_is_not():
    def change(old: str, new: str) -> str:
        def status(choice: str) -> Any:
            return {
                "unsubscribeAll": False,
                "topicSubscriptionStatus": [{"topicName": "a", "subscriptionStatus": choice}],
            }

        return only("ses", ses("Subscription", newTopicPreferences=status(new), oldTopicPreferences=status(old))).name

    assert change("OptIn", "OptOut") == "unsubscribed"
    assert change("OptOut", "OptIn") == "subscribed"


@pytest.mark.parametrize("text", ["Successfully validated SNS topic for Amazon SES event publishing."])
def test_ses_amazons_greeting_is_no_event(text):
    found = parsed("ses", text)
    assert (found.events, found.rejected, found.ignored) == ([], [], 1)


def test_ses_a_subscription_of_ours_is_to_be_confirmed_at_amazon_only():
    def asked(url: str) -> Any:
        signed = SENDERS["ses"].sign("", SENT_S)
        envelope = json.loads(signed.body) | {"Type": "SubscriptionConfirmation", "SubscribeURL": url, "Token": "t"}
        return read("ses", json.dumps(envelope).encode())

    good = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    assert (asked(good).visit, asked(good).events, asked(good).rejected) == (good, [], [])
    for bad in ("", "https://evil.example/", "http://169.254.169.254/", good.replace("https", "http")):
        assert asked(bad).visit == ""
        assert [r.detail for r in asked(bad).rejected] == ["SubscribeURL"]


def test_mandrills_empty_test_is_nothing():
    assert parsed("mandrill", []).events == parsed("mandrill", []).rejected == []


# -- replies -------------------------------------------------------------------------------------------------------------

REPLIES: dict[str, Any] = {
    "postmark": {
        "FromName": "Ann", "From": "ann@acme.com", "FromFull": {"Email": "Ann@acme.com", "Name": "Ann"}, "To": "x@in.example",
        "MessageID": "in-1", "Date": "Fri, 02 Jan 2026 04:03:05 +0100", "TextBody": "yes, gladly", "Subject": "Re: offer",
        "Headers": [{"Name": "In-Reply-To", "Value": "<m-1>"}], "Attachments": [{"Content": "A" * 50_000}],
    },
    "mandrill": {
        "event": "inbound", "ts": AT_MS // 1000,
        "msg": {
            "from_email": "ann@acme.com", "headers": {"In-Reply-To": "<m-1>", "Message-Id": "<in-1>"}, "text": "yes, gladly",
            "raw_msg": "A" * 50_000,
        },
    },
    "resend": {
        "type": "email.received", "created_at": "2026-01-02T03:03:05Z",
        "data": {"email_id": "in-1", "from": "Ann <ann@acme.com>", "to": ["x@in.example"], "subject": "Re: offer",
                 "headers": [{"name": "In-Reply-To", "value": "<m-1>"}]},
    },
    "brevo": {"items": [{
        "Uuid": ["in-1"], "MessageId": "<in-1>", "InReplyTo": "<m-1>", "From": {"Name": "Ann", "Address": "ann@acme.com"},
        "SentAtDate": "Fri, 02 Jan 2026 04:03:05 +0100", "Subject": "Re: offer", "RawTextBody": "yes, gladly",
        "RawHtmlBody": "A" * 50_000, "Headers": {"Date": "Fri, 02 Jan 2026 04:03:05 +0100"},
    }]},
    "ses": {
        "notificationType": "Received", "content": "yes, gladly" + "A" * 50_000, "receipt": {},
        "mail": {"timestamp": "2026-01-02T03:03:05Z", "source": "bounce@acme.com",
                 "commonHeaders": {"from": ["Ann <ann@acme.com>"]}, "headers": [{"name": "In-Reply-To", "value": "<m-1>"}]},
    },
}  # fmt: skip
AUTOMATIC: dict[str, Any] = {
    "postmark": {"Headers": [{"Name": "Auto-Submitted", "Value": "auto-replied"}]},
    "mandrill": {"msg": {"headers": {"Auto-Submitted": "auto-replied"}}},
    "resend": {"data": {"headers": {"auto-submitted": "auto-replied"}}},
    "ses": {"mail": {"headers": [{"name": "Auto-Submitted", "value": "auto-replied"}]}},
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_its_senders_and_nothing_of_its_text_is_kept(name):
    event = only(name, REPLIES[name])
    assert (event.name, event.node, event.at, event.bot) == ("replied", "acme/e:ann@acme.com", AT_MS, "")
    assert properties(event)["message_id"] == "m-1"
    assert "gladly" not in repr(event)
    assert "offer" not in repr(event)


@pytest.mark.parametrize("name", AUTOMATIC)
def test_an_out_of_office_is_a_machines(name):
    event = only(name, merged(REPLIES[name], AUTOMATIC[name]))
    assert (event.name, event.bot, event.bot_reason) == ("replied", "machine", "auto-reply")


# -- what cannot be used ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EMAIL_SENDERS)
def test_what_cannot_be_an_event_is_refused_with_its_bytes(name):
    broken = {
        "sendgrid": ({"event": "nap"}, {"email": "?"}, {"timestamp": "x"}),
        "mailgun": ({"event": "nap"}, {"recipient": "?"}, {"timestamp": "x"}),
        "postmark": ({"RecordType": "Nap"}, {"Recipient": "?"}, {"ReceivedAt": "x"}),
        "ses": ({"eventType": "Nap"}, {"mail": {"destination": ["?"]}}, {"click": {"timestamp": "x"}}),
        "mandrill": ({"event": "nap"}, {"msg": {"email": "?"}}, {"ts": "x"}),
        "resend": ({"type": "email.nap"}, {"data": {"to": ["?"]}}, {"created_at": "x"}),
        "brevo": ({"event": "nap"}, {"email": "?"}, {"ts_epoch": "x"}),
    }[name]
    reasons = [RejectReason.UNSUPPORTED, RejectReason.MISSING_FIELD, RejectReason.BAD_TIME]
    for change, reason in zip(broken, reasons, strict=True):
        found = parsed(name, merged(SENDERS[name].click, change))
        assert (found.events, [r.reason for r in found.rejected]) == ([], [reason])
        assert b"m-1" in found.rejected[0].body
        assert found.source is not None
        assert (found.source.name, found.source.tenant) == ("main", "acme")


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("body", [b"", b"5", b"{", b'"x"', b"[5]", b"\xff", b"null", b"[" * 5000, b'{"a":' * 500])
def test_a_genuine_body_that_cannot_be_read_is_a_dead_letter(name, body):
    found = read(name, body)
    assert (found.events, found.fault, found.ignored) == ([], None, 0)
    assert len(found.rejected) == 1
    assert found.rejected[0].body == (b"5" if body == b"[5]" and name not in {"ses", "mandrill"} else body)


@pytest.mark.parametrize("name", ["sendgrid", "mandrill", "brevo", "hubspot"])
def test_a_bad_event_costs_its_neighbours_nothing(name):
    click = SENDERS[name].click
    found = parsed(name, [click, 5, {}, click])
    assert (len(found.events), len(found.rejected)) == (2, 2)


def test_too_large_an_event_is_refused():
    found = parsed("postmark", merged(SENDERS["postmark"].click, {"Metadata": {"a": "x" * 40_000}}))
    assert [r.reason for r in found.rejected] == [RejectReason.TOO_LARGE]


def test_a_webhook_without_a_tenant_is_the_default_ones():
    webhook = Webhook("postmark", "eu", "user:key")
    assert only("postmark", SENDERS["postmark"].click, webhook).node == "default/e:ann@acme.com"


@pytest.mark.parametrize(
    ("to", "email", "node"),
    [
        (["Lee, Ann <ann@acme.com>"], "ann@acme.com", "e:ann@acme.com"),
        ("Ann Lee <ann@acme.com>, ann@acme.com", "ann@acme.com", "e:ann@acme.com"),
        ("ann@acme.com, Bob <bob@acme.com>", "", "d:acme.com"),
        (["Ann <ann@acme.com>, bob@acme.com"], "", "d:acme.com"),
    ],
)
def test_several_recipients_in_one_text_are_several(to, email, node):
    click = SENDERS["resend"].click
    event = only("resend", click | {"data": click["data"] | {"to": to}})
    assert (event.email, event.node) == (email, f"acme/{node}")


def test_a_report_that_a_mail_is_no_spam_is_no_complaint():
    people = [{"emailAddress": "ann@acme.com"}]
    taken_back = ses("Complaint", complainedRecipients=people, complaintFeedbackType="not-spam")
    found = parsed("ses", taken_back)
    assert (found.events, found.rejected, found.ignored) == ([], [], 1)
    complaint = ses("Complaint", complainedRecipients=people, complaintFeedbackType="abuse")
    assert only("ses", complaint).name == "complained"
