"""``python -m stream.stages``: run a worker with the settings of the environment."""

import os
import sys

from schemas.errors import TouchlineError
from stream.settings import Settings
from stream.stages.definitions import STAGES
from stream.stages.worker import main

if __name__ == "__main__":
    try:
        main(Settings.from_env(os.environ), STAGES)
    except TouchlineError as error:
        sys.exit(f"worker: {error}")
