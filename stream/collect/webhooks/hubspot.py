"""HubSpot's CRM subscriptions: an array of changes, as versions of our CRM objects and as unsubscribes.

A change names its object by id and one property, never the whole object. Companies and deals are complete that way,
since our objects are folds over partial versions:

======================== ==========================================================================================
HubSpot                  ours
======================== ==========================================================================================
company (0-2)            ``crm.account``; its id is the account's
deal (0-3)               ``crm.opportunity``; its primary company gives it the account, else its contacts do
contact (0-1)            ``crm.contact`` of the user ``hubspot:ID``; the property ``email`` says whose address that is,
                         so that all else said of the contact, earlier or later, is that person's
contact, opted out       email event ``unsubscribed`` (``subscribed``) of the user ``hubspot:ID``
======================== ==========================================================================================

What is said of links and of whole objects, too, is one property each. The stage knows them; of them ``/v1/crm/...`` has
``merged_into`` of accounts and contacts, and ``deleted``:

========================= =========================================================================================
property                  what it says
========================= =========================================================================================
``left_account_id``       contact, deal: off that account, if it was there
``contact_user``          deal: the user of one of its contacts; ``left_contact_user``: no longer
``merged_into``           company: the account, contact: the user that goes on for it; deal: just for the record
``leads``                 contact: of all that were merged the one whose values count
``deleted``               True, or False for restored
``erased``                contact: deleted for privacy, so nothing that was said of it counts any more
========================= =========================================================================================
"""

import re
from collections.abc import Iterator
from typing import Final

from schemas import event as kinds
from schemas import ids
from schemas.event import SERVER, Event
from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.crm import HUBSPOT_USERS
from stream.collect.adapters.rows import Row, as_properties
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request
from stream.collect.webhooks import hubspot_signature
from stream.collect.webhooks.deliveries import events_of_json, first_text, listed
from stream.collect.webhooks.hubspot_properties import fields_of
from stream.collect.webhooks.provider import Provider, secret_or_url_missing

_OPT_OUT: Final = re.compile(r"hs_email_optout(?:_[0-9]+)?")
"""Alone: of everything; with ``_123``: of subscription type 123. Others, such as the reason in a survey, are no choice."""
_OBJECTS: Final = {"0-1": "contact", "0-2": "company", "0-3": "deal"}
_TYPES: Final = {"contact": kinds.CRM_CONTACT, "company": kinds.CRM_ACCOUNT, "deal": kinds.CRM_OPPORTUNITY}


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one delivery, in its order."""
    return events_of_json(body, request, _read)


def _read(row: Row, request: Request) -> Iterator[Event]:
    subject, _, action = normal.text(row.get("subscriptionType")).partition(".")
    if action == "associationChange":
        found = _association(row)
        if found is not None:
            yield _object(row, request, *found)
        return
    kind = _OBJECTS.get(normal.text(row.get("objectTypeId")), "") if subject == "object" else subject
    if kind not in _TYPES:
        raise Unfit(RejectReason.UNSUPPORTED, "subscriptionType")
    if action == "merge":
        yield from (_object(row, request, kind, number, fields) for number, fields in _merged(row, kind))
        return
    number = normal.identifier(row.get("objectId"))
    if action == "creation":
        # When it was created is a property of its own (``createdate``), which may be of long before.
        yield _object(row, request, kind, number, {})
    elif action in {"deletion", "restore"}:
        yield _object(row, request, kind, number, {"deleted": action == "deletion"})
    elif kind == "contact" and action == "privacyDeletion":
        yield _object(row, request, kind, number, {"erased": True})
    elif action == "propertyChange" and normal.text(row.get("propertyName")):
        yield _changed(row, request, kind, number)
    else:
        raise Unfit(RejectReason.UNSUPPORTED, "subscriptionType")


def _changed(row: Row, request: Request, kind: str, number: str) -> Event:
    name, value = normal.text(row.get("propertyName")), _value(row.get("propertyValue"))
    if kind == "contact" and _OPT_OUT.fullmatch(name):
        return _opt_out(row, request, number, name, value)
    if kind == "contact" and name == "email":
        return _object(row, request, kind, number, {}, email=normal.address(value))
    assert request.webhook is not None
    return _object(row, request, kind, number, fields_of(kind, name, value, request.webhook))


def _value(given: object) -> str:
    """As HubSpot writes values: all of them are texts, also true and false."""
    return str(given).lower() if isinstance(given, bool) else first_text(given)


def _association(row: Row) -> tuple[str, str, Row] | None:
    """The deal or contact whose links change, and how; None if it is about a company that is not its primary one."""
    kinds_of_ends = normal.text(row.get("associationType")).lower().split("_to_")
    if row.get("fromObjectTypeId") is not None:
        kinds_of_ends = [_OBJECTS.get(normal.text(row.get(f"{end}ObjectTypeId")), "") for end in ("from", "to")]
    numbers = [normal.identifier(row.get("fromObjectId")), normal.identifier(row.get("toObjectId"))]
    ends = dict(zip(kinds_of_ends, numbers, strict=False))
    removed = row.get("associationRemoved") is True
    if not all(ends.values()):
        raise Unfit(RejectReason.MISSING_FIELD, "fromObjectId and toObjectId")
    if ends.keys() == {"deal", "contact"}:
        user = _user(ends["contact"])
        return "deal", ends["deal"], {"left_contact_user": user} if removed else {"contact_user": user}
    kind = "deal" if "deal" in ends else "contact"
    if ends.keys() != {kind, "company"}:
        raise Unfit(RejectReason.UNSUPPORTED, "associationType")
    if row.get("isPrimaryAssociation") is False:
        return None
    # Removed means off that company, not off any: the next primary one may have been reported before or be later.
    return kind, ends[kind], {"left_account_id" if removed else "account_id": ends["company"]}


def _merged(row: Row, kind: str) -> Iterator[tuple[str, Row]]:
    """The objects that went into another one, and what is to be said of each."""
    primary = normal.identifier(row.get("primaryObjectId"))
    heir = normal.identifier(row.get("newObjectId")) or primary
    gone = dict.fromkeys([primary, *map(normal.identifier, listed(row, "mergedObjectIds"))])
    losers = [number for number in gone if number not in {"", heir}]
    if not heir or not losers:
        raise Unfit(RejectReason.MISSING_FIELD, "newObjectId and mergedObjectIds")
    for number in losers:
        if kind == "company":
            yield number, {"merged_into": heir}
        elif kind == "deal":
            # The deal that goes on is reported by itself; to count both would double it.
            yield number, {"deleted": True, "merged_into": heir}
        else:
            yield number, {"merged_into": _user(heir), "leads": number == primary}


def _user(number: str) -> str:
    """The user that stands for a contact."""
    return HUBSPOT_USERS + number


def _object(row: Row, request: Request, kind: str, number: str, fields: Row, *, email: str = "") -> Event:
    """A version of a CRM object that says what ``fields`` say and nothing else."""
    event = _blank(row, request, _TYPES[kind], number)
    if kind == "company":
        event.group = number
        event.node = normal.entry_node(event.tenant, account=number)
    else:
        event.group = normal.text(fields.get("account_id"))
        if kind == "deal":
            event.node = normal.entry_node(event.tenant, opportunity=number)
        else:
            # Also with an address by the user: what is said of the contact by its id alone has to meet it.
            event.user, event.email = _user(number), email
            event.node = normal.entry_node(event.tenant, user=event.user)
    event.properties = as_properties({"id": number, "email": email or None, **fields})
    # By HubSpot's own time: what its clock is ahead of ours is cut off, at another moment with every delivery.
    event.id = ids.derived_id("hubspot", event.type, number, str(event.original_at), bytes(event.properties).decode())
    return event


def _opt_out(row: Row, request: Request, number: str, name: str, value: str) -> Event:
    event = _blank(row, request, kinds.EMAIL_EVENT, number)
    event.name = "unsubscribed" if value.lower() == "true" else "subscribed"
    event.user = _user(number)
    event.node = normal.entry_node(event.tenant, user=event.user)
    event.properties = as_properties({"message_id": "", "reason": name})
    # HubSpot's own event ids are not promised to be unique.
    event.id = ids.derived_id("hubspot", event.type, number, str(event.original_at), event.name, name)
    return event


def _blank(row: Row, request: Request, type_: str, number: str) -> Event:
    webhook = request.webhook
    assert webhook is not None  # an adapter of webhooks is called for none but configured ones
    if not number:
        raise Unfit(RejectReason.MISSING_FIELD, "objectId")
    event = Event(
        id="",
        node="",
        type=type_,
        at=request.received_at,
        received_at=request.received_at,
        tenant=webhook.tenant,
        source=webhook.name,
        protocol=webhook.provider,
        platform=SERVER,
        library=webhook.provider,
    )
    if not clock.put_times(event, _at(row)):
        raise Unfit(RejectReason.BAD_TIME, "occurredAt")
    return event


def _at(row: Row) -> int:
    """When it changed, ms. Without that nobody could tell which version is the later one."""
    at = clock.moment(row.get("occurredAt"))
    if at is None:
        raise Unfit(RejectReason.BAD_TIME, "occurredAt")
    return at


PROVIDER: Final = Provider(
    name="hubspot",
    title="HubSpot: CRM changes and unsubscribes",
    verify=hubspot_signature.verify,
    events_of=events_of,
    fault_of=secret_or_url_missing,
)
