"""Identity: which account and which person everything belongs to, as a forest of nodes that tell each other.

Part of the stitch stage. Every identifier is a node (``schemas.ids``); a claim says that one belongs to another; each
node works out its owner as a step function of time and publishes it to those that belong to it. The result is a pure
function of the set of claims, whatever their order (docs/identity.md has the rules for users).

How the stitch core uses it, within one step::

    entered(step, node, cause)                # the first event of a node that is no visitor
    observe(step, event)                      # every event: sends the claims that it makes (none if already said)
    user = session_link(event, step.rules)    # whose session the event says it is
    link(step, visitor, user, +1)             # one more session of the visitor has claims for that user
    owner = owner_of(step, node, at, via)     # None: not known yet, settle will be called when it is
    handle(step, message, settle)             # an identity message of the frame
    while step.local:
        handle(step, step.local.popleft(), settle)
    flush(step)                               # at the end of the frame: rows of the nodes that changed
"""

from stream.core.identity.domains import company_node
from stream.core.identity.leaf import link, link_company, owner_of, rules_changed, settled_owner, visitor_of
from stream.core.identity.protocol import CHUNK, Settle, entered, handle
from stream.core.identity.rows import flush
from stream.core.identity.sources import claims_of, is_news, known_since, observe, session_link

__all__ = (
    "CHUNK",
    "Settle",
    "claims_of",
    "company_node",
    "entered",
    "flush",
    "handle",
    "is_news",
    "known_since",
    "link",
    "link_company",
    "observe",
    "owner_of",
    "rules_changed",
    "session_link",
    "settled_owner",
    "visitor_of",
)
