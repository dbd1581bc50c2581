"""Which claims somebody means who wants to take some back."""

from stream.collect.identity.audit import Audit
from stream.collect.identity.orders import Unfit
from stream.collect.identity.refused import Refused
from stream.collect.identity.shapes import Unlink, Unmerge
from stream.core.identity.book import Known
from stream.core.identity.names import heard, spoken
from stream.core.identity.node import statement
from stream.core.identity.prediction import saying_the_same


async def unlinked(audit: Audit, wanted: Unlink) -> list[Known]:
    """The live claims that are meant. Raises: Refused if there are none, or several of one id."""
    tenant, rules = audit.tenant, audit.rules
    if wanted.id:
        named = [c for c in await audit.claim(wanted.id) if not c.is_merge]
        if wanted.child:
            named = [c for c in named if c.node == heard(wanted.child, tenant, rules)]
        known = await _standing(audit, named)
        if len({c.node for c in known}) > 1:
            nodes = ", ".join(spoken(c.node) for c in known[:5])
            raise Refused(409, "ambiguous", f"several identifiers have a claim of that id ({nodes}): name the child")
    elif wanted.child and wanted.parent:
        child, parent = heard(wanted.child, tenant, rules), heard(wanted.parent, tenant, rules)
        known = [c for c in await audit.between(child, parent) if not c.is_merge]
    else:
        raise Unfit("name the claim by its id, or by child and parent")
    if known and all(c.is_no_claim for c in known):
        raise Refused(
            409,
            "sessions",
            "sessions of this visitor say so (signed in as that user, or from that network): what happened is no claim;"
            " link the visitor to whom it belongs instead",
        )
    return _some([c for c in known if not c.is_no_claim])


async def unmerged(audit: Audit, wanted: Unmerge) -> list[Known]:
    """The live merges that are meant. Raises: Refused if there are none."""
    tenant, rules = audit.tenant, audit.rules
    if wanted.id:
        return _some([c for c in await audit.claim(wanted.id) if c.live and c.is_merge])
    if not (wanted.loser and wanted.winner):
        raise Unfit("name the merge by its id, or by loser and winner")
    loser, winner = heard(wanted.loser, tenant, rules), heard(wanted.winner, tenant, rules)
    return _some([c for c in await audit.between(loser, winner) if c.is_merge])


async def _standing(audit: Audit, named: list[Known]) -> list[Known]:
    """The claims that count; in place of one that the CRM said anew under another number those that say the same now."""
    replaced = [c for c in named if not c.live and statement(c.id) != c.id]
    known = await audit.standing({c.node: c for c in replaced})
    return [*(c for c in named if c.live), *saying_the_same(known, replaced)]


def _some(known: list[Known]) -> list[Known]:
    if not known:
        raise Refused(
            404, "no_claim", "there is no such claim that still counts; v_identity_claims has all (seconds after them)"
        )
    return known
