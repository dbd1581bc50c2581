"""What must hold of a world that has come to rest."""

from schemas.ids import OPPORTUNITY, VISITOR, kind
from schemas.messages import BEGINNING, Resolution
from stream.core.identity.timeline import value_at
from stream.core.nodes import NodeState
from stream.core.seen import Seen, record_key
from stream.core.state import key
from tests.simulation.identity.inputs import Input
from tests.simulation.identity.leaves import Record
from tests.simulation.identity.oracle import Oracle
from tests.simulation.identity.world import World, Wrong


def check_all(world: World, inputs: list[Input]) -> None:
    """The accounts and the leaves say what the oracle says, and nothing is left undone."""
    oracle = Oracle(inputs, world.rules)
    same("touches of the accounts", world.held(), oracle.held())
    same("owners of the records", owners(world), oracle.owners())
    states = nodes(world)
    for name, state in states.items():
        if state.waiting or state.token or state.telling is not None or state.settling is not None:
            raise Wrong(f"{name} is not at rest: {state}")
        for parent, answer in state.parents.items():
            same(f"what {name} knows of {parent}", answer, states[parent].resolution)
    referred = {parent for state in states.values() for parent in state.parents}
    for name, state in states.items():
        nothing = kind(name) not in {VISITOR, OPPORTUNITY} and not (state.entry or state.claims or name in referred)
        same(f"whether nothing refers to {name}", state.orphan, nothing)
    check_rows(world, states, oracle)


def check_rows(world: World, states: dict[str, NodeState], oracle: Oracle) -> None:
    """The last row of each node is its resolution, and the oracle's at every time."""
    rows = world.rows()
    for name, state in states.items():
        row = rows[name.partition("/")[2]]
        if state.orphan:
            same(f"row of {name}, to which nothing refers", (row.since, row.person_id, row.account_id), ([], [], []))
            continue
        same(f"row of {name}", row.since, [start for start, _ in state.resolution])
        for at in (BEGINNING, *range(-1, 9)):
            same(f"{name} at {at}", tuple_of(state.resolution, at), oracle.owner(name, at))


def tuple_of(resolution: Resolution, at: int) -> tuple[str, int, str]:
    owner = value_at(resolution, at)
    return owner.account, owner.rank, owner.person


def same(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise Wrong(f"{what}: {got} instead of {wanted}")


def nodes(world: World) -> dict[str, NodeState]:
    found = {}
    for part in world.parts.values():
        records = part.state.scan(record_key(""), Seen)
        found |= {name[len(record_key("")) :]: seen.node for name, seen in records if seen.node is not None}
    return found


def owners(world: World) -> dict[tuple[str, str], tuple[str, int, str]]:
    found = {}
    for part in world.parts.values():
        for name, record in part.state.scan(key("i", ""), Record):
            _, node, hit = name.split("\0")
            owner = record.owner
            found[node, hit] = None if owner is None else (owner.account, owner.rank, owner.person)
    return found
