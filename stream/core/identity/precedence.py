"""How strongly each source of a claim is believed. Higher beats lower; within one rank the later event time wins."""

from typing import Final

OPERATOR: Final = 100
"""Somebody said so by hand. Beats everything."""
CRM: Final = 80
"""A CRM contact's or opportunity's account."""
GROUP: Final = 60
"""A ``group`` call or ``context.groupId``."""
LINK: Final = 50
"""Person links: ``identify``, ``alias``, and the address of a user."""
MERGED_LINK: Final = 48
"""An address that a contact has by a merge: however late that was, the contact that stays is who it was."""
PERSONAL_LINK: Final = 45
"""A user's freemail address: it never hides the work address of the same user."""
MERGED_PERSONAL_LINK: Final = 43
"""A freemail address that a contact has by a merge."""
CRM_DOMAIN: Final = 40
"""The CRM account that names an address's domain."""
DELETED_CRM_DOMAIN: Final = 30
"""The same of an account that was deleted in the CRM: history stays where it is, unless another account names the domain."""
DOMAIN: Final = 20
"""Nobody named the domain: it is an account of its own."""
FORM: Final = 10
"""The company's domain that somebody typed into a form: below that of a work address."""
NETWORK: Final = 0
"""The company of the network that a visit came from: owns the visit only, if nobody else does."""
BUYER: Final = 1
"""No account at all, but a conversion: the person is a journey of its own."""
ITSELF: Final = 100
"""What enters by an account node is that account's."""

_CONFIDENCE: Final = (
    (OPERATOR, 1.0),
    (CRM, 0.95),
    (GROUP, 0.9),
    (LINK, 0.9),
    (PERSONAL_LINK, 0.85),
    (CRM_DOMAIN, 0.8),
    (DOMAIN, 0.6),
)


def confidence(precedence: int) -> float:
    """How sure a claim of that precedence is, 0 to 1. For readers of the audit: what decides is the precedence alone."""
    return next((sure for least, sure in _CONFIDENCE if precedence >= least), 0.3)
