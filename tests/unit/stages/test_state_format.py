"""State says which version's layout it has, in a store and in a checkpoint; another one is refused, and so is none."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest
from rocksdict import Options, Rdict

from schemas.codec import state_encoder
from schemas.errors import Fatal
from stream.core.state import Example
from stream.settings import Settings
from stream.stages.checkpoint import MARK_KEY, checkpoint, restore
from stream.stages.kept import folder_of, kept_states, refuse_other_formats
from stream.stages.state_format import STATE_FORMAT
from stream.stages.store import FORMAT_KEY, PartitionStore, saved
from stream.stages.turns import Turns
from stream.stages.unheard import Unheard
from stream.stages.worker import Partitions
from tests.support.state_topic import StateTopic
from tests.support.toy import TOY


def filled(path: Path, *, offset: int = 5) -> PartitionStore:
    store = PartitionStore(path)
    store.put("k", Example(7))
    store.advance(offset)
    store.commit(store.seal())
    return store


def rewrite_format(path: Path, value: bytes | None) -> None:
    """As if another version had written it: under its own number, or without any."""
    db = Rdict(str(path), Options(raw_mode=True))
    if value is None:
        del db[FORMAT_KEY]
    else:
        db[FORMAT_KEY] = value
    db.close()


def test_a_new_store_has_our_format_from_its_first_batch_on(tmp_path):
    store = PartitionStore(tmp_path)
    assert saved(tmp_path) == (0, 0)
    store.close()
    filled(tmp_path).close()
    assert saved(tmp_path) == (STATE_FORMAT, 5)
    assert PartitionStore(tmp_path).format == STATE_FORMAT


def test_a_store_that_is_built_anew_has_our_format_again(tmp_path):
    store = filled(tmp_path)
    store.clear()
    assert store.format == 0
    store.advance(1)
    store.commit(store.seal())
    store.close()
    assert saved(tmp_path) == (STATE_FORMAT, 1)


@pytest.mark.parametrize("older", [3, 4])
def test_an_older_format_is_read_and_ours_from_the_next_batch_on(tmp_path, older):
    settings = Settings(data=str(tmp_path))
    folder = folder_of(settings, TOY, 3)
    filled(folder).close()
    rewrite_format(folder, b"%d" % older)
    refuse_other_formats(kept_states(settings, [TOY]))
    store = PartitionStore(folder)
    assert (store.format, store.get("k", Example)) == (older, Example(7))
    store.advance(6)
    store.commit(store.seal())
    store.close()
    assert saved(folder) == (STATE_FORMAT, 6)


@pytest.mark.parametrize(
    ("written", "said"), [(None, "before formats"), (b"0", "before formats"), (b"99", "format 99")]
)
def test_state_of_another_version_in_a_folder_is_refused_and_named(tmp_path, written, said):
    settings = Settings(data=str(tmp_path))
    folder = folder_of(settings, TOY, 3)
    filled(folder_of(settings, TOY, 1)).close()
    filled(folder).close()
    refuse_other_formats(kept_states(settings, [TOY]))
    rewrite_format(folder, written)
    with pytest.raises(
        Fatal, match=rf"stage stitch, partition 3, in {re.escape(str(folder))} .*{said}.*operations\.md"
    ):
        refuse_other_formats(kept_states(settings, [TOY]))


def test_a_partition_is_not_opened_on_state_of_another_version(tmp_path):
    settings = Settings(data=str(tmp_path))
    folder = folder_of(settings, TOY, 3)
    filled(folder).close()
    rewrite_format(folder, None)
    with pytest.raises(Fatal, match="before formats"):
        asyncio.run(Partitions(TOY, settings, StateTopic(), Turns(), Unheard())._open(3))


def test_a_folder_without_state_is_of_no_version(tmp_path):
    settings = Settings(data=str(tmp_path))
    PartitionStore(folder_of(settings, TOY, 0)).close()
    folder_of(settings, TOY, 1).mkdir()
    assert kept_states(settings, [TOY]) == []


def test_a_restored_store_has_the_format_of_its_checkpoint(tmp_path):
    async def restored() -> None:
        topic = StateTopic()
        await checkpoint(TOY, 0, filled(tmp_path / "first"), topic, 1)
        again = PartitionStore(tmp_path / "second")
        await restore(TOY, 0, again, topic)
        assert again.get("k", Example) == Example(7)
        again.close()

    asyncio.run(restored())
    assert saved(tmp_path / "second") == (STATE_FORMAT, 5)


@pytest.mark.parametrize("fields", [{}, {"format": 99}])
def test_a_checkpoint_of_another_version_is_refused_before_anything_of_it_is_taken(tmp_path, fields):
    store = PartitionStore(tmp_path / "second")

    async def refused() -> None:
        topic = StateTopic()
        await checkpoint(TOY, 0, filled(tmp_path / "first"), topic, 1)
        (mark,) = [record for record in topic.records if record.key == MARK_KEY]
        assert msgspec.msgpack.decode(mark.value)["format"] == STATE_FORMAT
        mark.value = state_encoder.encode({"next_offset": 5, "marks": {}} | fields)
        with pytest.raises(Fatal, match=r"stage stitch, partition 0, in the topic state\.stitch"):
            await restore(TOY, 0, store, topic)

    asyncio.run(refused())
    assert store.empty


def test_a_state_topic_that_was_made_anew_has_no_checkpoint_whatever_position_is_remembered(tmp_path):
    async def offset_after(records: int) -> int:
        topic = StateTopic()
        topic.saved = 10
        await topic.produce_pairs("", 0, [(b"k", b"")] * records, [("epoch", b"1")])
        store = PartitionStore(tmp_path / str(records))
        await restore(TOY, 0, store, topic)
        return store.next_offset

    assert asyncio.run(offset_after(0)) == 0
    assert asyncio.run(offset_after(20)) == 0  # others than those that the position was saved for


def test_what_a_restore_left_that_was_cut_short_is_not_begun_with(tmp_path):
    store = PartitionStore(tmp_path)
    store.db[b"k"] = state_encoder.encode(Example(1))  # no offset yet: that comes last
    asyncio.run(restore(TOY, 0, store, StateTopic()))
    assert store.get("k", Example) is None
