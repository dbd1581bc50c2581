"""The engine's configuration: small caches and pools, two profiles, and grants without any source outside.

Written to the data folder at each start; chDB reads it when its first connection opens.
"""

from pathlib import Path
from typing import Final

CONSOLE_PROFILE: Final = "console"
CONSOLE_LIMITS: Final = {
    "max_execution_time": "20",
    "max_result_rows": "100000",
    "max_result_bytes": str(64 << 20),
    "max_memory_usage": str(512 << 20),
}
"""What the console's queries get unless they ask for more, which the profile's constraints bound.

SURPRISE: not in the profile itself: in chDB ``SET profile`` takes a profile's constraints but not its values.
"""

# One machine and a few million rows: caches that a cluster node sizes in gigabytes are held to megabytes, and the
# pools to what a handful of tables merge with. Pool sizes and the three "free entries" settings go together: the
# engine refuses tables where a free-entries setting exceeds background_pool_size * the concurrency ratio (2 * 2).
# Inserts may be synced before they are acknowledged (``durability``). Merged parts need no sync: what they replace is kept
# for a minute, longer than the kernel holds back writes (30 s; chDB would not wait). A server keeps it for 8 minutes, but each
# part takes 44 kB of memory, and a busy hour makes 30 a second.
# A small part is one file instead of a dozen: making, syncing and removing them was half of what a small insert took.
# Parts are merged 16 at a time, not five: merges were a third of what a full load costs, each row being merged again and again.
# Statistics of columns are for planning joins of large tables; they were a fifth of what a small insert costs.
_ENGINE: Final = """<clickhouse>
    <display_name>touchline</display_name>
    <users_config>{users}</users_config>
    <custom_local_disks_base_directory></custom_local_disks_base_directory>
    <mark_cache_size>16777216</mark_cache_size>
    <primary_index_cache_size>16777216</primary_index_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <index_mark_cache_size>0</index_mark_cache_size>
    <index_uncompressed_cache_size>0</index_uncompressed_cache_size>
    <mmap_cache_size>0</mmap_cache_size>
    <query_condition_cache_size>4194304</query_condition_cache_size>
    <compiled_expression_cache_size>8388608</compiled_expression_cache_size>
    <max_server_memory_usage>{server_memory}</max_server_memory_usage>
    <background_pool_size>2</background_pool_size>
    <background_common_pool_size>2</background_common_pool_size>
    <background_move_pool_size>1</background_move_pool_size>
    <background_fetches_pool_size>1</background_fetches_pool_size>
    <background_schedule_pool_size>2</background_schedule_pool_size>
    <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
    <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
    <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
    <merge_tree>
        <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
        <number_of_free_entries_in_pool_to_execute_mutation>2</number_of_free_entries_in_pool_to_execute_mutation>
        <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>2</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
        <merge_max_block_size_bytes>4194304</merge_max_block_size_bytes>
        <fsync_after_insert>{sync_inserts:d}</fsync_after_insert>
        <fsync_part_directory>{sync_inserts:d}</fsync_part_directory>
        <auto_statistics_types></auto_statistics_types>
        <min_bytes_for_full_part_storage>1048576</min_bytes_for_full_part_storage>
        <merge_selector_base>16</merge_selector_base>
        <old_parts_lifetime>60</old_parts_lifetime>
    </merge_tree>
</clickhouse>
"""

# The engine has one user; what ``console`` may do is a profile that a connection takes on and cannot leave (``engine``).
# No SOURCES (files, URLs, other hosts), no BACKUP, no user administration, no SYSTEM SHUTDOWN.
_USERS: Final = """<clickhouse>
    <profiles>
        <default>
            <implicit_select>0</implicit_select>
            <max_execution_time>60</max_execution_time>
            <max_result_rows>10000000</max_result_rows>
            <max_result_bytes>536870912</max_result_bytes>
            <max_memory_usage>1073741824</max_memory_usage>
            <max_bytes_before_external_group_by>536870912</max_bytes_before_external_group_by>
            <max_bytes_before_external_sort>536870912</max_bytes_before_external_sort>
        </default>
        <console>
            <constraints>
                <max_execution_time><min>1</min><max>60</max></max_execution_time>
                <max_result_rows><min>1</min><max>1000000</max></max_result_rows>
                <max_result_bytes><min>1</min><max>268435456</max></max_result_bytes>
                <max_memory_usage><min>1</min><max>1073741824</max></max_memory_usage>
            </constraints>
        </console>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password></password>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <access_management>0</access_management>
            <grants>
                <query>GRANT SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, SHOW, CHECK,
                    KILL QUERY, dictGet, SYSTEM FLUSH, SYSTEM MERGES, SYSTEM VIEWS, SYSTEM DROP CACHE ON *.*</query>
                <query>GRANT {engines}</query>
                <query>GRANT SET DEFINER ON *</query>
            </grants>
        </default>
    </users>
</clickhouse>
"""

_TREES: Final = (
    "",
    "Replacing",
    "Summing",
    "Aggregating",
    "Collapsing",
    "VersionedCollapsing",
    "Graphite",
    "Coalescing",
)
_OTHERS: Final = ("Memory", "Null", "Set", "Join", "Buffer", "Merge", "Dictionary", "GenerateRandom", "Log", "TinyLog",
                  "StripeLog", "Loop", "Alias")  # fmt: skip


def write_configuration(folder: Path, *, server_memory_bytes: int, sync_inserts: bool) -> Path:
    """Write both files into ``folder`` and return the path that chDB is given."""
    folder.mkdir(parents=True, exist_ok=True)
    engines = ", ".join(f"TABLE ENGINE ON {name}" for name in (*(f"{kind}MergeTree" for kind in _TREES), *_OTHERS))
    users = folder / "users.xml"
    users.write_text(_USERS.format(engines=engines), "utf-8")
    config = folder / "config.xml"
    config.write_text(
        _ENGINE.format(users=users, server_memory=server_memory_bytes, sync_inserts=sync_inserts), "utf-8"
    )
    return config
