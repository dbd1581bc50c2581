"""The messages this broker speaks: api key -> versions, request and response schema.

To add a version: raise ``last``, mark the new fields with ``@N+`` (``wire`` explains the notation) and give the new
request fields a default. The sources are the tables at https://kafka.apache.org/protocol.
"""

from functools import cache
from typing import Final, NamedTuple

from stream.embedded.broker.wire import Decode, Encode, decoder, encoder


class Api(NamedTuple):
    """One kind of request.

    ``first`` to ``last`` are really spoken. The advertised minimum is 0 nevertheless: librdkafka switches features off
    when a broker's minimum is above 0, and every client picks the highest common version anyway.
    """

    name: str
    first: int
    last: int
    request: str
    response: str
    flexible: int = 1 << 15
    """First version with compact lengths and tagged fields."""


_CONFIG = "name:s value:s readonly:bool default:bool@0-0 source:i1@1+ sensitive:bool synonyms:[n:s v:s source:i1]@1+"
_GROUP_TOPICS = "topics:[name:s partitions:[i4]]"

PRODUCE: Final = 0
FETCH: Final = 1
API_VERSIONS: Final = 18

APIS: Final[dict[int, Api]] = {
    0: Api(
        "produce",
        3,
        8,
        "transactional:s acks:i2 timeout:i4 topics:[name:s partitions:[index:i4 records:b]]",
        "topics:[name:s partitions:[index:i4 error:i2 base:i8 at:i8 start:i8@5+ errors:[i:i4 m:s]@8+ text:s@8+]]"
        " throttle:i4",
    ),
    1: Api(
        "fetch",
        4,
        11,
        "replica:i4 wait_ms:i4 min_bytes:i4 max_bytes:i4 isolation:i1 session:i4@7+ epoch:i4=-1@7+"
        " topics:[name:s partitions:[index:i4 leader_epoch:i4=-1@9+ offset:i8 start:i8@5+ max_bytes:i4]]"
        " forgotten:[name:s partitions:[i4]]@7+ rack:s@11+",
        "throttle:i4 error:i2@7+ session:i4@7+ topics:[name:s partitions:[index:i4 error:i2 high:i8 stable:i8"
        " start:i8@5+ aborted:[pid:i8 first:i8] replica:i4@11+ records:b]]",
    ),
    2: Api(
        "list_offsets",
        1,
        3,
        "replica:i4 isolation:i1@2+ topics:[name:s partitions:[index:i4 at:i8]]",
        "throttle:i4@2+ topics:[name:s partitions:[index:i4 error:i2 at:i8 offset:i8]]",
    ),
    3: Api(
        "metadata",
        0,
        8,
        "topics:[s] auto:bool@4+ cluster_operations:bool@8+ topic_operations:bool@8+",
        "throttle:i4@3+ brokers:[id:i4 host:s port:i4 rack:s@1+] cluster:s@2+ controller:i4@1+"
        " topics:[error:i2 name:s internal:bool@1+ partitions:[error:i2 index:i4 leader:i4 epoch:i4@7+ replicas:[i4]"
        " in_sync:[i4] offline:[i4]@5+] operations:i4@8+] operations:i4@8+",
    ),
    8: Api(
        "commit_offsets",
        2,
        7,
        "group:s generation:i4 member:s instance:s@7+ retention:i8@2-4"
        " topics:[name:s partitions:[index:i4 offset:i8 epoch:i4@6+ metadata:s]]",
        "throttle:i4@3+ topics:[name:s partitions:[index:i4 error:i2]]",
    ),
    9: Api(
        "fetch_offsets",
        1,
        5,
        "group:s " + _GROUP_TOPICS,
        "throttle:i4@3+ topics:[name:s partitions:[index:i4 offset:i8 epoch:i4@5+ metadata:s error:i2]] error:i2@2+",
    ),
    10: Api(
        "find_coordinator",
        0,
        2,
        "key:s kind:i1@1+",
        "throttle:i4@1+ error:i2 text:s@1+ node:i4 host:s port:i4",
    ),
    11: Api(
        "join_group",
        1,
        5,
        "group:s session_ms:i4 rebalance_ms:i4 member:s instance:s@5+ kind:s protocols:[name:s metadata:b]",
        "throttle:i4@2+ error:i2 generation:i4 protocol:s leader:s member:s members:[id:s instance:s@5+ metadata:b]",
    ),
    12: Api(
        "heartbeat",
        0,
        3,
        "group:s generation:i4 member:s instance:s@3+",
        "throttle:i4@1+ error:i2",
    ),
    13: Api(
        "leave_group",
        0,
        3,
        "group:s member:s@0-2 members:[id:s instance:s]@3+",
        "throttle:i4@1+ error:i2 members:[id:s instance:s error:i2]@3+",
    ),
    14: Api(
        "sync_group",
        0,
        3,
        "group:s generation:i4 member:s instance:s@3+ assignments:[id:s assignment:b]",
        "throttle:i4@1+ error:i2 assignment:b",
    ),
    15: Api(
        "describe_groups",
        0,
        4,
        "groups:[s] operations:bool@3+",
        "throttle:i4@1+ groups:[error:i2 id:s state:s kind:s protocol:s"
        " members:[id:s instance:s@4+ client:s host:s metadata:b assignment:b] operations:i4@3+]",
    ),
    16: Api("list_groups", 0, 2, "", "throttle:i4@1+ error:i2 groups:[id:s kind:s]"),
    18: Api(
        "api_versions",
        0,
        3,
        "software:s@3+ version:s@3+",
        "error:i2 apis:[key:i2 first:i2 last:i2] throttle:i4@1+",
        flexible=3,
    ),
    19: Api(
        "create_topics",
        0,
        4,
        "topics:[name:s partitions:i4 replication:i2 assignments:[index:i4 brokers:[i4]] configs:[name:s value:s]]"
        " timeout:i4 validate:bool@1+",
        "throttle:i4@2+ topics:[name:s error:i2 text:s@1+]",
    ),
    20: Api("delete_topics", 0, 3, "names:[s] timeout:i4", "throttle:i4@1+ topics:[name:s error:i2]"),
    22: Api("init_producer", 0, 1, "transactional:s timeout:i4", "throttle:i4 error:i2 pid:i8 epoch:i2"),
    32: Api(
        "describe_configs",
        0,
        2,
        "resources:[kind:i1 name:s keys:[s]] synonyms:bool@1+",
        "throttle:i4 resources:[error:i2 text:s kind:i1 name:s configs:[" + _CONFIG + "]]",
    ),
    33: Api(
        "alter_configs",
        0,
        1,
        "resources:[kind:i1 name:s configs:[name:s value:s]] validate:bool",
        "throttle:i4 resources:[error:i2 text:s kind:i1 name:s]",
    ),
    37: Api(
        "create_partitions",
        0,
        1,
        "topics:[name:s count:i4 assignments:[brokers:[i4]]] timeout:i4 validate:bool",
        "throttle:i4 topics:[name:s error:i2 text:s]",
    ),
    42: Api("delete_groups", 0, 1, "groups:[s]", "throttle:i4 groups:[id:s error:i2]"),
    44: Api(
        "change_configs",
        0,
        0,
        "resources:[kind:i1 name:s configs:[name:s operation:i1 value:s]] validate:bool",
        "throttle:i4 resources:[error:i2 text:s kind:i1 name:s]",
    ),
}


ADVERTISED: Final = [(key, 0, api.last) for key, api in APIS.items()]


@cache
def codec(key: int, version: int) -> tuple[Decode, Encode]:
    """Request decoder and response encoder. Raises: KeyError if the version is not spoken."""
    api = APIS[key]
    if not api.first <= version <= api.last:
        raise KeyError((key, version))
    flexible = version >= api.flexible
    return (
        decoder(api.request, version, flexible=flexible),
        encoder(api.response, version, flexible=flexible),
    )
