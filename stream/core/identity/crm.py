"""Claims of CRM objects: what they say depends on their other versions, so each object's history is folded first.

An account's latest version alone says which domains it has; an opportunity's latest version alone says whose it is;
a contact's versions say who employed the person when. The fold is a pure function of the set of versions: what it
*wants* claimed. What it has claimed before is brought in line by retractions and claims under new ids, since claims
are immutable (IDENTITY 2).
"""

from typing import Final

import msgspec

from schemas import event as kinds
from schemas.codec import properties_of
from schemas.event import Event
from schemas.ids import ACCOUNT, DOMAIN, EMAIL, OPPORTUNITY, USER, node
from schemas.messages import BEGINNING, Claim, Retract
from stream.core.identity import precedence
from stream.core.identity.blocked import is_blocked
from stream.core.identity.domains import work_domain, work_host
from stream.core.state import key
from stream.core.step import Step

FOLDED: Final = frozenset({kinds.CRM_ACCOUNT, kinds.CRM_CONTACT, kinds.CRM_OPPORTUNITY})


def observe(step: Step, event: Event) -> None:
    """Take a version of a CRM object in and bring the claims in line with it."""
    raise NotImplementedError
