"""Compile ``stream.core._everyday`` into this checkout: ``python build_native.py``.

Building and installing the package does it, too (``hatch_build.py``). Where there is no compiler the product works without.
"""

import sys
from pathlib import Path

from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
STABLE = 0x030B0000
"""The stable interface of Python 3.11: what is built with one version runs with later ones, too."""
WARNINGS = ["-std=c99", "-Wall", "-Wextra"]


def build(into: Path, work: Path, *flags: str) -> Path | None:
    """Compile into the folder ``into``; ``work`` is for what is left over. Returns: the module, None if it cannot be built."""
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "stream/core/native").glob("*.c"))
    headers = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "stream/core/native").glob("*.h"))
    compiled = [*flags] if sys.platform == "win32" else [*WARNINGS, *flags]
    module = Extension(
        "stream.core._everyday",
        sources,
        depends=headers,
        extra_compile_args=compiled,
        extra_link_args=[flag for flag in flags if flag.startswith("-fsanitize")],
        py_limited_api=True,
        optional=True,
    )
    command = build_ext(Distribution({"name": "touchline", "ext_modules": [module]}))
    command.build_lib, command.build_temp = str(into), str(work)
    command.ensure_finalized()
    command.run()
    made = Path(command.get_ext_fullpath("stream.core._everyday"))
    return made if made.exists() else None


if __name__ == "__main__":
    import os
    import tempfile

    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as left_over:
        sys.exit(0 if build(ROOT, Path(left_over)) else "stream.core._everyday could not be built: see above")
