"""Whether a human being opened or clicked a mail, and with what. Deliveries are the servers' own business.

What opened or clicked without one has ``Event.bot`` ``machine`` (images fetched ahead) or ``scanner`` (links followed by
a gateway), with the evidence in ``bot_reason``. The provider's own flag counts first, then the user agent.
"""

from typing import Final

from schemas.event import Event
from stream.collect import normal
from stream.collect.bots import SCANNER
from stream.collect.edges import put_edge
from stream.collect.request import Enrich

MACHINE: Final = "machine"
GMAIL: Final = "gmail"
"""A provider's flag for Google's image proxy: no machine, see below."""
_MPP_AGENT: Final = "Mozilla/5.0"
"""Exactly this is what Apple's Mail Privacy Protection calls itself."""
_GMAIL_PROXY: Final = "GoogleImageProxy"
"""Fetches when somebody reads: a real open whose place and browser are hidden."""


def judge(event: Event, enrich: Enrich, *, user_agent: object, address: object, flag: str) -> str:
    """Put into an opened or clicked event what its reader was.

    Returns: domain of the mail gateway in whose network the reader was, "" if in none: a hint, no proof.

    Args:
        event: named already; other names are left alone.
        enrich: of the request.
        user_agent: as the provider passes it on.
        address: IP of who clicked; images are fetched by proxies, so that of an open says nothing.
        flag: see ``Mail.flag``.
    """
    agent = normal.text(user_agent).strip()
    if event.name == "opened":
        put_edge(event, enrich("", agent))
        _judge_open(event, agent, flag)
    elif event.name == "clicked":
        edge = enrich(normal.text(address), agent)
        put_edge(event, edge)
        if flag and not event.bot:
            event.bot_reason = flag
        if flag or event.bot:
            event.bot = SCANNER
        return edge.gateway
    return ""


def _judge_open(event: Event, agent: str, flag: str) -> None:
    if flag == GMAIL or (not flag and _GMAIL_PROXY in agent):
        event.bot = event.bot_reason = event.device = event.browser = event.os = ""
    elif flag:
        event.bot, event.bot_reason = MACHINE, flag
    elif agent == _MPP_AGENT:
        event.bot, event.bot_reason = MACHINE, "apple-mpp"
    elif event.bot:
        event.bot = MACHINE
