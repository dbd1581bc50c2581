"""Compile ``stream.core._everyday`` into this checkout: ``python build_native.py``.

Building and installing the package does it, too (``hatch_build.py``). Where there is no compiler the product works without.
"""

import contextlib
import hashlib
import sys
import tempfile
from pathlib import Path

from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
MODULE = "stream.core._everyday"
WARNINGS = () if sys.platform == "win32" else ("-std=c99", "-Wall", "-Wextra")


def build(into: Path, work: Path, *flags: str) -> Path | None:
    """Compile below the folder ``into``, with the compiler's ``flags``; ``work`` is for what is left over.

    It is built for the stable interface, so with any Python for this and later ones (``objects.h`` says from which on).

    Returns: the module; None if it cannot be built, and the compiler has said why.
    """
    command = build_ext(Distribution({"name": "touchline", "ext_modules": [_extension(flags)]}))
    command.build_lib, command.build_temp = str(into.resolve()), str(work.resolve())
    command.force = True
    command.ensure_finalized()
    made = Path(command.get_ext_fullpath(MODULE))
    made.unlink(missing_ok=True)  # what cannot be built any more is not left as it was
    with contextlib.chdir(ROOT):
        command.run()
    return made if made.exists() else None


def sources() -> str:
    """A digest of what is compiled; the module has it, too, so that a stale one can be told."""
    return hashlib.sha256(b"".join((ROOT / path).read_bytes() for path in _files())).hexdigest()


def _files() -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / "stream/core/native").glob("*.[ch]"))


def _extension(flags: tuple[str, ...]) -> Extension:
    found = _files()
    return Extension(
        MODULE,
        [str(path) for path in found if path.suffix == ".c"],
        depends=[str(path) for path in found if path.suffix == ".h"],
        define_macros=[("SOURCES", f'"{sources()}"')],
        extra_compile_args=[*WARNINGS, *flags],
        extra_link_args=[flag for flag in flags if flag.startswith("-fsanitize")],
        py_limited_api=True,
        optional=True,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as left_over:
        sys.exit(0 if build(ROOT, Path(left_over)) else f"{MODULE} could not be built: see above")
