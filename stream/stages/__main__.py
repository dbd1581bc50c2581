"""``python -m stream.stages``: run a worker with the settings of the environment."""

import os
import sys

from schemas.errors import TouchlineError
from stream.settings import Settings
from stream.stages import heap

if __name__ == "__main__":
    heap.use_jemalloc()
    from stream.stages.definitions import STAGES  # Faust takes half a second to import: once is enough
    from stream.stages.worker import main

    try:
        main(Settings.from_env(os.environ), STAGES)
    except TouchlineError as error:
        sys.exit(f"worker: {error}")
