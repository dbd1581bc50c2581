"""HubSpot's properties as the fields of our CRM objects. What has no field of ours is kept in ``custom``."""

from collections.abc import Callable
from typing import Final

from schemas.rejections import RejectReason
from stream.collect import clock, normal
from stream.collect.adapters.crm_domains import hosts_of
from stream.collect.adapters.crm_stages import stage_of
from stream.collect.adapters.rows import Row, amount_of
from stream.collect.bodies import Unfit
from stream.settings import Webhook

Fields = Callable[[str, Webhook], Row]
"""(value, webhook) -> fields."""


def _named(field: str) -> Fields:
    return lambda value, _webhook: {field: normal.text(value).strip()}


def _id(field: str) -> Fields:
    return lambda value, _webhook: {field: normal.identifier(value)}


def _domain(value: str, _webhook: Webhook) -> Row:
    hosts, whole = hosts_of([value])
    if not whole:
        raise Unfit(RejectReason.BAD_VALUE, "propertyValue")
    return {"domains": hosts}


def _deal_stage(value: str, webhook: Webhook) -> Row:
    return {"stage": stage_of({"stage": webhook.stages.get(value, value)})}


def _account_stage(value: str, _webhook: Webhook) -> Row:
    return {"stage": stage_of({"stage": value})}


def _amount(value: str, webhook: Webhook) -> Row:
    currency = webhook.currency.upper()
    amount = amount_of({"amount": value}, currency)
    return {"amount": amount, "currency": currency} if currency else {"amount": amount}


def _currency(value: str, _webhook: Webhook) -> Row:
    return {"currency": normal.text(value).strip().upper()}


def _time(field: str) -> Fields:
    def read(value: str, _webhook: Webhook) -> Row:
        if not value:
            return {field: None}
        at = clock.moment(value)
        if at is None or at < clock.EARLIEST:
            raise Unfit(RejectReason.BAD_TIME, "propertyValue")
        return {field: at}

    return read


_ACCOUNT: Final[dict[str, Fields]] = {
    "name": _named("name"),
    "domain": _domain,
    "lifecyclestage": _account_stage,
    "hubspot_owner_id": _named("owner"),
    "hs_parent_company_id": _id("parent_id"),
}
_OPPORTUNITY: Final[dict[str, Fields]] = {
    "dealname": _named("name"),
    "dealstage": _deal_stage,
    "amount": _amount,
    "deal_currency_code": _currency,
    "createdate": _time("created_at"),
    "closedate": _time("closed_at"),
}
_CONTACT: Final[dict[str, Fields]] = {"associatedcompanyid": _id("account_id"), "jobtitle": _named("title")}
_OBJECTS: Final = {"company": _ACCOUNT, "deal": _OPPORTUNITY, "contact": _CONTACT}


def fields_of(kind: str, name: str, value: str, webhook: Webhook) -> Row:
    """The fields that one property of a ``company``, ``deal`` or ``contact`` amounts to. Raises: Unfit.

    >>> fields_of("deal", "dealstage", "closedwon", Webhook("hubspot", "main"))
    {'stage': 'won'}
    >>> fields_of("company", "industry", "Steel", Webhook("hubspot", "main"))
    {'custom': {'industry': 'Steel'}}
    """
    read = _OBJECTS[kind].get(name)
    if read is not None:
        return read(value, webhook)
    return {"custom": {normal.text(name, normal.NAME_LIMIT): normal.text(value)}}
