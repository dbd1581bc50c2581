"""Part of building the package: compile what is in C. Where that fails it is left out, and the package works without."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
from build_native import ROOT, build


class NativeHook(BuildHookInterface):
    """Compile into the checkout, where an editable install looks and from where a wheel takes it."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Before the files are gathered."""
        with tempfile.TemporaryDirectory() as left_over:
            module = build(ROOT, Path(left_over))
        if module is None:
            self.app.display_warning("touchline: no C compiler that works; everyday events are handled in Python")
            return
        build_data["artifacts"].append(str(module.relative_to(ROOT)))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
