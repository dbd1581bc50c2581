"""How far an import came."""

import subprocess
import sys
from pathlib import Path

_WRITES = """
import sys
from pathlib import Path
from stream.cli.importing.bookmark import Bookmark, read_bookmark, write_bookmark
for rows in range(2000):
    write_bookmark(Path(sys.argv[1]), Bookmark("same", rows))
    read_bookmark(Path(sys.argv[1]), "same")
"""


def test_two_imports_of_one_file_at_once_do_not_break_each_other(tmp_path: Path) -> None:
    place = str(tmp_path / "a.csv.import.json")
    both = [subprocess.Popen([sys.executable, "-c", _WRITES, place]) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv.import.json"]
