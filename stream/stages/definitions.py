"""The stages: which topic each reads, what it may find there, and which of the core's functions decide."""

from functools import partial
from typing import Final

import msgspec

from schemas import topics
from schemas.event import Event
from schemas.messages import Account, Identity
from stream.core import account, everyday, everyday_touches, stitch
from stream.stages.admission import fault_of
from stream.stages.compute import Stage

STITCH: Final = Stage(
    name="stitch",
    input=topics.EVENTS,
    facts=topics.STITCH_FACTS,
    state=topics.STITCH_STATE,
    default_kind=topics.EVENT_FRAME,
    decoders={topics.EVENT_FRAME: msgspec.json.Decoder(Event), topics.MESSAGE_FRAME: msgspec.json.Decoder(Identity)},
    apply={
        topics.EVENT_FRAME: stitch.events_step,
        topics.MESSAGE_FRAME: stitch.messages_step,
        topics.CONTROL_FRAME: stitch.control_step,
    },
    rules_of=stitch.rules_of,
    admit=fault_of,
    raw=frozenset({topics.EVENT_FRAME}),
    tells=True,
)
ACCOUNT: Final = Stage(
    name="account",
    input=topics.ACCOUNTS,
    facts=topics.ACCOUNT_FACTS,
    state=topics.ACCOUNT_STATE,
    default_kind=topics.MESSAGE_FRAME,
    decoders={topics.MESSAGE_FRAME: msgspec.json.Decoder(Account)},
    apply={topics.MESSAGE_FRAME: account.frame_step, topics.CONTROL_FRAME: account.control_step},
    rules_of=account.rules_of,
    raw=frozenset({topics.MESSAGE_FRAME}),
)
STAGES: Final = {stage.name: stage for stage in (STITCH, ACCOUNT)}
IN_PYTHON: Final = {
    STITCH.name: msgspec.structs.replace(
        STITCH,
        apply=STITCH.apply | {topics.EVENT_FRAME: partial(stitch.events_step, first=everyday.left_to_python)},
    ),
    ACCOUNT.name: msgspec.structs.replace(
        ACCOUNT,
        apply=ACCOUNT.apply
        | {topics.MESSAGE_FRAME: partial(account.frame_step, first=everyday_touches.left_to_python)},
    ),
}
"""The same without what is compiled: what ``touchline verify`` computes with, so that it checks one by the other."""
