"""``python -m sinks``: the sink with settings from the environment."""

import os

from sinks.service import main
from stream.settings import Settings

if __name__ == "__main__":
    main(Settings.from_env(os.environ))
