"""``python -m sinks``: the sink with settings from the environment."""

import os
import sys

from schemas.errors import TouchlineError
from sinks.service import main
from stream.settings import Settings

if __name__ == "__main__":
    try:
        main(Settings.from_env(os.environ))
    except TouchlineError as error:
        sys.exit(f"sink: {error}")
