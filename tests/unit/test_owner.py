"""A data folder has one owner; the next one waits a moment for the one before to end."""

import threading
from pathlib import Path

from stream.embedded.owner import own


def test_the_next_owner_waits_until_the_one_before_has_ended(tmp_path: Path) -> None:
    before = own(tmp_path / "data" / "lock")
    assert before is not None
    ends = threading.Timer(0.3, before.close)
    ends.start()

    after = own(tmp_path / "data" / "lock")

    assert after is not None
    assert before.closed
    after.close()


def test_who_does_not_end_stays_the_owner(tmp_path: Path) -> None:
    owner = own(tmp_path / "lock")
    assert owner is not None

    assert own(tmp_path / "lock", patience_s=0.1) is None

    owner.close()
