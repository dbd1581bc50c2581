"""While something may not be on the disk a mark lies in the folder, and another boot that finds it does not go on."""

import pytest

from schemas.errors import ConfigError
from stream.embedded.sql import durability
from stream.embedded.sql.durability import Durability


@pytest.fixture
def here(tmp_path):
    return lambda boot, interval_s=1.0: Durability(tmp_path, interval_s, boot)


def test_another_boot_refuses_what_was_written_and_not_synced(here) -> None:
    with here("monday").writing():
        pass
    with pytest.raises(ConfigError, match="the machine went down"):
        here("tuesday")
    with pytest.raises(ConfigError, match="the machine went down"):
        here("tuesday", None)


def test_the_same_boot_goes_on_after_a_kill_and_remembers_that_it_has_to_sync(here) -> None:
    with here("monday").writing():
        pass
    again = here("monday")
    again.sync()
    here("tuesday")


def test_another_boot_takes_what_was_synced(here) -> None:
    first = here("monday")
    for _ in range(3):
        with first.writing():
            pass
        first.sync()
    here("tuesday")


def test_another_boot_refuses_what_was_under_way(here) -> None:
    first = here("monday")
    with first.writing():
        first.sync()
        with pytest.raises(ConfigError):
            here("tuesday")
    first.sync()
    here("tuesday")


@pytest.mark.parametrize("ends", [True, False], ids=["it has ended by then", "it goes on"])
def test_a_write_that_begins_while_it_syncs_keeps_the_mark(here, monkeypatch, ends) -> None:
    first = here("monday")
    with first.writing():
        pass
    real = durability._sync_file_system
    write = first.writing()

    def with_a_write(folder) -> None:
        real(folder)
        write.__enter__()
        if ends:
            write.__exit__(None, None, None)

    monkeypatch.setattr(durability, "_sync_file_system", with_a_write)
    first.sync()
    with pytest.raises(ConfigError):
        here("tuesday")


def test_a_disk_that_fails_is_not_trusted_again(here, monkeypatch) -> None:
    first = here("monday")
    with first.writing():
        pass

    def fail(_folder) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durability, "_sync_file_system", fail)
    with pytest.raises(OSError, match="Input/output"):
        first.sync()
    with pytest.raises(ConfigError, match="its disk failed"):
        here("monday")


async def test_a_folder_whose_policy_becomes_always_is_synced_first(here) -> None:
    with here("monday").writing():
        pass
    await here("monday", None).keep_synced()
    here("tuesday")


def test_where_each_insert_is_synced_there_is_no_mark(here, tmp_path) -> None:
    for each in (here("monday", None), here("", 1.0)):
        assert each.each_insert
        with each.writing():
            assert list(tmp_path.iterdir()) == []
    assert not here("monday").each_insert
