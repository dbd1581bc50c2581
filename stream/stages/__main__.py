"""``python -m stream.stages``: run a worker with the settings of the environment."""

import os

from stream.settings import Settings
from stream.stages.definitions import STAGES
from stream.stages.worker import main

if __name__ == "__main__":
    main(Settings.from_env(os.environ), STAGES)
