"""Touches, conversions and their owners, one law each."""

import itertools

import pytest

from schemas.ids import derived_id
from schemas.messages import Profile, TouchPut, TouchWithdrawn
from schemas.rules import EventConversion, Rules
from stream.core.opportunity_stages import stage_name
from stream.core.seen import Seen, record_key
from tests.support.account_log import AccountLog
from tests.support.events import MINUTE, T0, email, hit, make, page, track
from tests.support.stitch import Stage

ACME = "default/d:corp.example"


def played(*frames, rules=None):
    stage = Stage(rules=rules)
    for frame in frames:
        stage.put(frame if isinstance(frame, list) else [frame])
    return stage.run()


def login(id_, at, visitor="ann", user="7", address="ann@corp.example"):
    return hit("identify", id_, at, visitor, user=user, email=address)


def only(found):
    assert len(found) == 1
    return next(iter(found.values()))


def test_an_anonymous_session_is_told_to_nobody_until_somebody_logs_in():
    stage = played(page("a", 0))
    assert stage.told == []
    assert only(stage.table("touches"))["account_id"] == ""
    stage.put([login("b", 40 * MINUTE * 24)])
    stage.run()
    assert sorted(t.at - T0 for t in stage.touches[ACME].values()) == [0, 40 * MINUTE * 24]
    assert {t["person_id"] for t in stage.table("touches").values()} == {"ann@corp.example"}


def test_a_session_touch_counts_the_points_of_its_events_and_ends_with_the_last():
    stage = played([login("a", 0), page("b", 1, path="/pricing"), page("c", 2), page("d", 3, path="/careers")])
    touch = only(stage.touches[ACME])
    assert (touch.points, touch.last_at - T0) == (10_000 + 1000 - 5000, 3)


def test_a_form_is_a_touch_of_its_own_with_the_session_source_and_its_own_points():
    ads = "https://www.acme.com/?utm_source=google&utm_medium=cpc"
    stage = played([page("a", 0, url=ads, user="7", email="ann@corp.example"), track("f", 5, "Form Submitted")])
    session, form = sorted(stage.touches[ACME].values(), key=lambda t: t.at)
    assert (session.points, form.points) == (1000, 8000)
    assert (form.type, form.channel, form.event_id, form.session_id) == ("form", "Paid Search", "f", session.session_id)


@pytest.mark.parametrize(
    ("event", "may_have_items"),
    [
        (make("identify", "default/u:7", "a", 0, user="7", email="ann@corp.example"), False),
        (make("track", "default/u:7", "a", 0, user="7", name="Report Opened"), False),
        (make("track", "default/u:7", "a", 0, user="7", name="Form Submitted"), True),
        (make("track", "default/u:7", "a", 0, user="7", name="Plan Chosen"), True),
        (email("a", 0, "delivered"), False),
        (email("a", 0, "clicked"), True),
        (make("crm.contact", "default/u:contact:7", "a", 0, properties={"id": "7"}), False),
        (make("crm.opportunity", "default/o:7", "a", 0, properties={"id": "7", "stage": "Won"}), True),
        (make("crm.activity", "default/m:7", "a", 0, properties={"id": "7", "type": "call"}), True),
    ],
)
def test_a_node_is_searched_for_items_only_if_one_of_its_events_may_have_brought_some(event, may_have_items):
    rules = Rules(conversions=(EventConversion("Plan Chosen", "signup"),))
    stage = played(event, rules=rules)
    record = stage.states[0].get(record_key(event.node), Seen)
    assert record.spread is may_have_items


@pytest.mark.parametrize(("name", "type_"), [("clicked", "email_click"), ("replied", "email_reply")])
def test_clicks_and_replies_are_touches(name, type_):
    touch = only(played(email("m", 0, name, properties={"campaign": "june"})).touches[ACME])
    assert (touch.type, touch.channel, touch.utm_campaign, touch.eligible) == (type_, "Email", "june", True)


@pytest.mark.parametrize("name", ["unsubscribed", "complained"])
def test_unsubscribes_lower_the_score_but_may_not_be_credited(name):
    stage = played(email("m", 0, name))
    touch = only(stage.touches[ACME])
    assert touch.points < 0
    assert not touch.eligible
    assert stage.table("touches") == {}


@pytest.mark.parametrize(("name", "bot"), [("opened", ""), ("delivered", ""), ("clicked", "scanner")])
def test_opens_and_machine_clicks_are_no_touches_but_email_rows(name, bot):
    stage = played(email("m", 0, name, bot=bot, bot_reason="proxy" if bot else ""))
    assert stage.touches == {}
    assert [(r["event"], r["is_machine"]) for r in stage.rows["email"]] == [(name, bool(bot))]


def test_a_meeting_is_a_touch_of_its_person():
    said = {"email": "bob@corp.example"}
    stage = played(make("crm.activity", "default/m:1", "m", 0, name="meeting", platform="server", properties=said))
    touch = only(stage.touches[ACME])
    assert (touch.type, touch.points, touch.person) == ("meeting", 30_000, "default/e:bob@corp.example")


def test_two_users_on_one_device_each_own_their_session():
    stage = played(
        [login("a", 0), login("b", 60 * MINUTE, user="8", address="eve@other.example"), page("c", 120 * MINUTE)]
    )
    owned = {account: [t.at - T0 for t in found.values()] for account, found in stage.touches.items()}
    assert owned == {ACME: [0], "default/d:other.example": [60 * MINUTE]}
    assert stage.table("sessions")[derived_id("default", "ann", str(T0 + 120 * MINUTE), "c")]["account_id"] == ""


def test_what_moves_is_withdrawn_from_the_old_account_and_put_to_the_new():
    stage = played([page("a", 0, user="7", email="ann@corp.example")])
    stage.put(
        [make("crm.contact", "default/u:7", "c", 0, user="7", properties={"account_id": "A1"}, platform="server")]
    )
    stage.run()
    withdrawn, put = stage.told[-2:]
    assert isinstance(withdrawn, TouchWithdrawn)
    assert isinstance(put, TouchPut)
    assert (withdrawn.to, put.to, put.reason, put.cause) == (ACME, "default/a:A1", "moved", "c")


def test_what_the_crm_said_of_a_contact_is_taken_back_in_a_later_frame():
    def version(id_, at, account):
        said = {"account_id": account}
        place = "default/e:bob@corp.example"
        return make("crm.contact", place, id_, at, email="bob@corp.example", properties=said, platform="server")

    frames = [version("c1", 0, "A1"), email("m", 9, "replied"), version("c2", 5, "")]
    for order in itertools.permutations(frames):
        stage = played(*order)
        assert {account for account, touches in stage.touches.items() if touches} == {ACME}


def test_a_replaced_event_takes_its_touches_and_conversions_along():
    first = track("f", 5, "Demo Requested", user="7", email="ann@corp.example", received_at=T0 + 50)
    earlier = track("f", 3, "Demo Requested", user="7", email="ann@corp.example", received_at=T0 + 40)
    stage = played(first, earlier)
    assert {t.at - T0 for t in stage.touches[ACME].values()} == {3}
    assert {c.at - T0 for c in stage.conversions[ACME].values()} == {3}
    assert len(stage.rows["events_superseded"]) == 1
    assert stage.result() == played(earlier, first).result() == played([earlier, first]).result()


def test_an_exact_repetition_changes_nothing_and_makes_no_row():
    stage = played(page("a", 0), page("a", 0))
    assert len(stage.rows["events"]) == len(stage.rows["sessions"]) == 1


PURCHASE = Rules(conversions=(EventConversion("Order Paid", "won", "total", "currency"),))


@pytest.mark.parametrize(
    ("properties", "amount", "currency", "notes"),
    [
        ({"total": "19.99", "currency": "eur"}, 1999, "EUR", 0),
        ({"total": 1000, "currency": "JPY"}, 1000, "JPY", 0),
        ({}, 0, "", 0),
        ({"total": "a lot", "currency": "EUR"}, 0, "EUR", 1),
        ({"total": 1e300, "currency": "EUR"}, 0, "EUR", 1),
        ({"total": True}, 0, "", 1),
        ([1, 2], 0, "", 1),
    ],
)
def test_a_product_event_converts_with_its_value_or_with_0_and_a_note(properties, amount, currency, notes):
    event = track("o", 0, "Order Paid", user="7", email="ann@corp.example", properties=properties)
    stage = played(event, rules=PURCHASE)
    made = only(stage.conversions[ACME])
    assert (made.stage, made.amount, made.currency, len(stage.rejected)) == ("won", amount, currency, notes)


def deal(id_, at, stage, **properties):
    return make("crm.opportunity", "default/o:1", id_, at, platform="server",
                properties={"stage": stage, "account_id": "A1", "currency": "EUR", **properties})  # fmt: skip


def stages(*events):
    found = played(*events).conversions.get("default/a:A1", {}).values()
    return {c.stage: (c.at - T0, c.amount) for c in found}


def test_an_opportunity_reaches_each_stage_when_it_first_enters_it_with_its_last_amount_there():
    updates = [deal("1", 0, "open", amount=10), deal("2", 5, "Demo", amount=20), deal("3", 9, "demo", amount=30),
               deal("4", 12, "Closed Won", amount=25)]  # fmt: skip
    wanted = {"open": (0, 1000), "demo": (5, 3000), "won": (12, 2500)}
    assert stages(*updates) == stages(*reversed(updates)) == wanted


def test_won_is_taken_back_when_the_deal_is_reopened_and_named_stages_stay():
    updates = [deal("1", 0, "demo"), deal("2", 2, "offer"), deal("3", 5, "won"), deal("4", 9, "demo")]
    # The first entry of the present cycle counts; the offer was made in the cycle before.
    assert stages(*updates) == stages(*reversed(updates)) == {"demo": (9, 0), "offer": (2, 0), "open": (0, 0)}


def test_the_first_update_opens_the_opportunity_when_it_was_created():
    assert stages(deal("1", 9, "won", amount=5, created_at=(T0 + 4) / 1000)) == {"open": (4, 500), "won": (9, 500)}


def test_an_update_that_says_no_amount_or_stage_leaves_them():
    assert stages(deal("1", 0, "open", amount=5), deal("2", 5, None), deal("3", 6, "won")) == {
        "open": (0, 500),
        "won": (6, 500),
    }


def test_an_amount_is_in_the_currency_of_the_opportunity_whichever_update_names_it():
    first = deal("1", 0, "open", amount="1000", currency="JPY")
    later = make("crm.opportunity", "default/o:1", "2", 5, platform="server",
                 properties={"stage": "won", "amount": "1200"})  # fmt: skip
    assert stages(first, later) == stages(later, first) == {"open": (0, 1000), "won": (5, 1200)}


def test_a_deleted_opportunity_has_no_conversions():
    assert stages(deal("1", 0, "won", amount=5), deal("2", 1, "won", deleted=True)) == {}


@pytest.mark.parametrize(
    ("text", "name"), [("Closed Won", "won"), ("closedwon", "won"), ("Closed/Lost", "lost"), ("SQL ", "sql")]
)
def test_stages_have_one_spelling(text, name):
    assert stage_name(text) == name


def test_an_account_profile_is_the_latest_of_each_field_whatever_the_order():
    one = make("crm.account", "default/a:A1", "1", 0, platform="server", properties={"name": "Old", "owner": "kim"})
    two = make("crm.account", "default/a:A1", "2", 5, platform="server",
               properties={"name": "New", "domains": ["corp.example"]})  # fmt: skip
    wanted = {"default/a:A1": ("New", "corp.example", "", "", "kim", T0 + 5)}
    assert played(one, two).result()["profiles"] == played(two, one).result()["profiles"] == wanted


def test_a_replaced_account_update_leaves_nothing_of_itself_behind():
    def named(name, at):
        return make("crm.account", "default/a:A1", "same", at, platform="server", properties={"name": name})

    def name_of(*events):
        log = AccountLog()
        stage = played(*events)
        log.record(*(m for m in stage.told if isinstance(m, Profile)))
        return next(iter(log.latest("accounts").values())).name

    one, two = named("N1", 0), named("N2", 50)
    assert name_of(one, two) == name_of(two, one)


@pytest.mark.parametrize("variant", range(6))
def test_a_form_that_another_content_of_its_id_moves_in_time_is_withdrawn_where_it_was(variant):
    who = hit("identify", "i", 0, user="u1", email="ann@corp.example")
    early = track("f", MINUTE, "Form Submitted", url=f"https://www.acme.com/{variant}")
    late = track("f", 2 * MINUTE, "Form Submitted")
    outcomes = []
    for events in ([who, early, late], [who, late, early], [late, early, who]):
        stage = Stage()
        for event in events:
            stage.put([event])
        outcomes.append(stage.run().result())
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert [t.type for t in outcomes[0]["touches"]["default/d:corp.example"].values()].count("form") == 1
