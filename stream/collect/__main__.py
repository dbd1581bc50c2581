"""``python -m stream.collect``: a collector with the settings of the environment."""

import os
from pathlib import Path

from stream.collect.serve import serve
from stream.settings import Settings, read_config

if __name__ == "__main__":
    settings = Settings.from_env(os.environ)
    serve(settings, read_config(Path(settings.config)))
