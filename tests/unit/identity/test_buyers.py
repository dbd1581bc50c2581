"""People who convert without an account: the count of such conversions, and what goes wrong if it is no count."""

from schemas import event as kinds
from stream.core.identity import protocol
from stream.core.identity.node import keep_node, node_of
from tests.support.both_stages import outcome
from tests.support.events import DAY, hit, track


def _two_purchases_one_of_them_an_accounts():
    login = [hit(kinds.IDENTIFY, f"in{v}", 0, v, user="7", email="joe@gmail.com") for v in ("phone", "desk")]
    bought = [track(f"buy{v}", DAY, "Signed Up", v) for v in ("phone", "desk")]
    words = {"claim": "k", "parent": "a:acme"}
    desk = hit(kinds.IDENTITY_LINK, "k", 2 * DAY, "desk", properties=words, platform="server")
    return [*login, *bought, desk]


def test_who_still_has_one_conversion_without_an_account_stays_a_journey(monkeypatch):
    wanted = [("signup", "", "joe@gmail.com"), ("signup", "acme", "joe@gmail.com")]
    assert outcome(_two_purchases_one_of_them_an_accounts()).conversions() == wanted

    # A flag in place of the count: the first conversion that leaves takes the journey of the other with it.
    right = protocol._sold

    def as_a_flag(step, message, turn):
        right(step, message, turn)
        state = node_of(step.state, message.to)
        if state is not None and state.sold > 1:
            state.sold = 1
            keep_node(step.state, message.to, state)

    monkeypatch.setattr(protocol, "_sold", as_a_flag)
    assert outcome(_two_purchases_one_of_them_an_accounts()).conversions() != wanted
