"""CRM objects of any origin, pushed by the customer's own sync: first-class input, no vendor's format.

POST /v1/crm/{accounts,contacts,opportunities,activities} (JSON array or NDJSON, Basic write key) -> Events

Each row is a *version* of its object, dated ``updated_at``. What the stages read is in ``Event.properties`` under
these names; a field that the row did not have is missing there ("says nothing of it"), one that it had as null or ""
is "" or [] ("says there is none"). All other members of the row are kept in ``custom``.

=============== ================ ==================================================================================
type            entry node       properties
=============== ================ ==================================================================================
crm.account     ``a:ID``         id, name, domains (list of bare hosts, lower case), parent_id, owner, stage,
                                 merged_into (id of the account that goes on), deleted
crm.contact     ``u:contact:ID`` id, email, account_id, user_id, title, merged_into (user that stands for the contact that
                ``u:hubspot:ID`` goes on), deleted
crm.opportunity ``o:ID``         id, account_id, name, stage (lower case; won and lost for their many spellings),
                                 amount (decimal text in whole units), currency, contact_emails (list),
                                 contact_users (list of the users that stand for contacts), created_at, closed_at
                                 (ms), stages (list of {stage, at in ms}), deleted
crm.activity    ``m:ID``         id, type (also ``Event.name``: meeting, call, email_reply, event, ... ), email,
                                 contact_user (user that stands for the contact), account_id, subject, occurred_at
                                 (ms), status (lower case, with _), deleted
=============== ================ ==================================================================================

``Event.at`` is ``updated_at``, else the time of receipt. ``Event.email`` is set for contacts and activities, ``user`` for
contacts, ``Event.group`` is the account everywhere. Ids: an object's version is one event however often it is sent; that
of an activity is a second one when it is sent again after ``occurred_at``, if it was sent before it.

What of an account's domains cannot be read as a host, and what of an opportunity's contacts as an address or an id, is noted
in ``Parsed.noted``; the object is taken. If nothing of them can, the row says nothing of them.
"""

import re
from collections.abc import Sequence
from typing import Final

from schemas import event as kinds
from schemas.codec import json_encoder
from schemas.event import Event
from schemas.ids import derived_id
from schemas.rejections import Rejected, RejectReason
from stream.collect import normal
from stream.collect.adapters.crm_domains import hosts_of
from stream.collect.adapters.crm_lists import addresses_of, ids_in, ids_of, words_of
from stream.collect.adapters.crm_stages import closed_of, history_of, stage_of
from stream.collect.adapters.rows import (
    ReadRow,
    Row,
    amount_of,
    as_properties,
    currency_of,
    custom_of,
    parsed_rows,
    put_version,
    required_id,
    text_of,
    time_of,
)
from stream.collect.bodies import Unfit
from stream.collect.request import Parsed, Request, faulty

ACTIVITIES: Final = frozenset({
    "meeting", "call", "email_reply", "event", "webinar", "conference", "tradeshow", "task",
})  # fmt: skip
CONTACT_USERS: Final = "contact:"
"""Before a contact's id: the user that stands for it."""
HUBSPOT_USERS: Final = "hubspot:"
"""Before a contact's number: the user that stands for it in HubSpot's webhooks."""
_SEPARATORS: Final = re.compile(r"[\s_-]+")
_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}
_LIST_LIMIT: Final = 200
"""Domains of an account, contacts of an opportunity: more than this is a broken join."""


def events_of(body: bytes, request: Request) -> Parsed:
    """The events of one request, in its order."""
    found = _READERS.get(request.path.rstrip("/").rpartition("/")[2])
    if found is None:
        return faulty(Rejected(RejectReason.UNSUPPORTED, "path"))
    kind, read = found
    return parsed_rows(body, request, kind, "crm", read)


def _account(row: Row, event: Event) -> str:
    account = required_id(row, "id")
    domains, unread = _domains(row)
    event.group = account
    event.node = normal.entry_node(event.tenant, account=account)
    fields: Row = {
        "id": account,
        "name": _said(row, "name"),
        "domains": domains,
        "parent_id": _said_id(row, "parent_id"),
    }
    fields |= {"owner": _said(row, "owner"), "stage": stage_of(row)}
    fields |= {"merged_into": _said_id(row, "merged_into") or None, "deleted": _yes(row, "deleted")}
    _finish(row, event, fields, ("domain",))
    return unread


def _contact(row: Row, event: Event) -> None:
    contact = required_id(row, "id")
    event.email = _email(row)
    deleted, heir = _yes(row, "deleted"), _said_id(row, "merged_into")
    # Who says that a contact is gone need not say again whom it was.
    if not (event.email or deleted or heir):
        raise Unfit(RejectReason.MISSING_FIELD, "email")
    event.user = normal.identifier(row.get("user_id"))
    event.group = normal.identifier(row.get("account_id"))
    # All versions of a contact have to meet, whatever is corrected in them; those of HubSpot's webhooks, too.
    of_hubspot = event.user.startswith(HUBSPOT_USERS)
    event.node = normal.entry_node(event.tenant, user=event.user if of_hubspot else _contact_user(contact))
    fields: Row = {"id": contact, "email": event.email or None, "account_id": _said_id(row, "account_id")}
    fields |= {"user_id": _said_id(row, "user_id"), "title": _said(row, "title"), "deleted": deleted}
    fields["merged_into"] = (HUBSPOT_USERS if of_hubspot else CONTACT_USERS) + heir if heir else None
    _finish(row, event, fields)


def _opportunity(row: Row, event: Event) -> str:
    opportunity = required_id(row, "id")
    currency = currency_of(row)
    (emails, emails_unread), (users, users_unread) = _emails(row), _contact_users(row)
    event.group = normal.identifier(row.get("account_id"))
    event.node = normal.entry_node(event.tenant, opportunity=opportunity)
    fields: Row = {"id": opportunity, "account_id": _said_id(row, "account_id"), "name": _said(row, "name")}
    fields |= {
        "stage": stage_of(row),
        "amount": amount_of(row, currency) if "amount" in row else None,
        "currency": currency if "currency" in row else None,
        "contact_emails": emails,
        "contact_users": users,
        "created_at": time_of(row, "created_at"),
        "closed_at": closed_of(row),
        "stages": history_of(row),
        "deleted": _yes(row, "deleted"),
    }
    _finish(row, event, fields, ("contact_ids",))
    return " and ".join(filter(None, (emails_unread, users_unread)))


def _activity(row: Row, event: Event) -> None:
    activity = required_id(row, "id")
    deleted = _yes(row, "deleted")
    occurred_at = time_of(row, "occurred_at")
    event.name = _word(row, "type")
    # Who deletes an activity need not say again what it was.
    if event.name not in ACTIVITIES and not (deleted and not event.name):
        raise Unfit(RejectReason.BAD_VALUE if event.name else RejectReason.MISSING_FIELD, "type")
    event.email = _email(row)
    event.group = normal.identifier(row.get("account_id"))
    contact = normal.identifier(row.get("contact_id"))
    if not (event.email or contact or event.group or deleted):
        raise Unfit(RejectReason.MISSING_FIELD, "email, contact_id or account_id")
    event.node = normal.entry_node(event.tenant, activity=activity)
    fields: Row = {"id": activity, "type": event.name or None}
    fields |= {
        "email": event.email if "email" in row else None,
        "contact_user": _contact_user(contact) if "contact_id" in row else None,
        "account_id": _said_id(row, "account_id"),
        "subject": _said(row, "subject"),
        "occurred_at": occurred_at,
        "status": _word(row, "status") if "status" in row else None,
        "deleted": deleted,
    }
    _finish(row, event, fields, ("contact_id",))
    if occurred_at is not None and occurred_at > event.received_at:
        # The same version counts once, but one that is sent again after its time has come says more than before.
        event.id = derived_id(event.id, "ahead")


def _word(row: Row, name: str) -> str:
    """A word of a list, however it is spelled: lower case, with ``_``; "" if absent."""
    return _SEPARATORS.sub("_", text_of(row, name).lower())


def _finish(row: Row, event: Event, fields: Row, consumed: tuple[str, ...] = ()) -> None:
    """Date the version and give it the id that all its repeats have."""
    version = put_version(event, row, time_name="updated_at")
    _put(row, event, fields, ("updated_at", *consumed))
    event.id = derived_id(event.type, str(fields["id"]), version, bytes(json_encoder.encode(event.properties)).decode())


def _put(row: Row, event: Event, fields: Row, consumed: tuple[str, ...]) -> None:
    custom = custom_of(row, {*fields, *consumed})
    event.properties = as_properties({**fields, "custom": dict(sorted(custom.items())) or None})


def _said(row: Row, name: str) -> str | None:
    """A text; None if the row says nothing of it."""
    return text_of(row, name) if name in row else None


def _said_id(row: Row, name: str) -> str | None:
    return normal.identifier(row.get(name)) if name in row else None


def _yes(row: Row, name: str) -> bool | None:
    """True or False, also where it is text; None if the row says nothing of it. Raises: Unfit."""
    given = row.get(name)
    if given is None or given == "":
        return None
    found = _WORDS.get(str(given).lower())
    if found is None:
        raise Unfit(RejectReason.BAD_VALUE, name)
    return found


def _domains(row: Row) -> tuple[list[str] | None, str]:
    """Hosts of ``domain`` and ``domains``, None if the row says nothing of them; the fields that cannot be read wholly."""
    found = {name: hosts_of(_few(words_of(row[name]), name)) for name in ("domain", "domains") if name in row}
    hosts = list(dict.fromkeys(host for some, _ in found.values() for host in some))
    unread = " and ".join(name for name, (_, whole) in found.items() if not whole)
    return (hosts if hosts or (found and not unread) else None), unread


def _emails(row: Row) -> tuple[list[str] | None, str]:
    """Addresses of the contacts, None if the row says nothing of them; the field if it cannot be read wholly."""
    if "contact_emails" not in row:
        return None, ""
    found, whole = addresses_of(_few(words_of(row["contact_emails"]), "contact_emails"))
    return (found if found or whole else None), "" if whole else "contact_emails"


def _contact_users(row: Row) -> tuple[list[str] | None, str]:
    """Users that stand for the contacts, None if the row says nothing of them; the field if it cannot be read wholly."""
    if "contact_ids" not in row:
        return None, ""
    given = row["contact_ids"]
    items = ids_in(given) if isinstance(given, str) else given if isinstance(given, list) else [given]
    found, whole = ([], False) if items is None else ids_of(_few(items, "contact_ids"))
    users = list(dict.fromkeys(map(_contact_user, found)))
    return (users if users or whole else None), "" if whole else "contact_ids"


def _contact_user(contact: str) -> str:
    """The user that stands for a contact, "" if there is none."""
    return contact if contact.startswith(HUBSPOT_USERS) or not contact else CONTACT_USERS + contact


def _few(items: Sequence[object], name: str) -> Sequence[object]:
    if len(items) > _LIST_LIMIT:
        raise Unfit(RejectReason.BAD_VALUE, name)
    return items


def _email(row: Row) -> str:
    """The address, "" if there is none. Raises: Unfit if there is something that is none."""
    given = row.get("email")
    found = normal.address(given)
    if given and not found:
        raise Unfit(RejectReason.BAD_VALUE, "email")
    return found


_READERS: Final[dict[str, tuple[str, ReadRow]]] = {
    "accounts": (kinds.CRM_ACCOUNT, _account),
    "contacts": (kinds.CRM_CONTACT, _contact),
    "opportunities": (kinds.CRM_OPPORTUNITY, _opportunity),
    "activities": (kinds.CRM_ACTIVITY, _activity),
}
