"""Where the demo plays: a folder of its own, a configuration for it, and ports that nobody uses."""

import shutil
import socket
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import ConfigError, Fatal
from stream.embedded.owner import own
from stream.settings import Settings

_MARK: Final = "demo.toml"
"""The demo's configuration. A folder that has it is the demo's, and may be emptied."""
_CONFIG: Final = """# Written by `touchline demo`.

[[sources]]
name = "website"
key = {key}

[[webhooks]]
provider = "sendgrid"
name = "demo"
secret = {secret}
"""


def prepared(settings: Settings, key: str, mail_key: str, *, fresh: bool) -> Settings:
    """An (empty) folder with a configuration, and the settings for an installation in it.

    Raises: ConfigError if the folder holds something else; Fatal if a demo runs in it.
    """
    data = Path(settings.data).absolute()
    if fresh and data.exists():
        _empty(data)
    data.mkdir(parents=True, exist_ok=True)
    config = data / _MARK
    config.write_text(_CONFIG.format(key=_quoted(key), secret=_quoted(mail_key)), "utf-8")
    http, sql, broker = _free(settings.host, settings.http_port, settings.sql_port, settings.broker_port)
    return msgspec.structs.replace(
        settings,
        data=str(data),
        config=str(config),
        http_port=http,
        sql_port=sql,
        broker_port=broker,
        kafka="",
        clickhouse="",
        log_level="warning",
    )


def _empty(data: Path) -> None:
    if any(data.iterdir()) and not (data / _MARK).exists():
        raise ConfigError(f"{data} is not a folder of the demo; give an empty or new one with --data, or --no-fresh")
    lock = own(data / "lock", patience_s=0)
    if lock is None:
        raise Fatal(f"a demo runs in {data}; stop that one or choose another --data")
    with lock:
        for entry in data.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name not in ("lock", _MARK):
                entry.unlink()


def _free(host: str, *wanted: int) -> list[int]:
    """The wanted ports; a free one instead of each that is taken or 0."""
    held: list[socket.socket] = []
    try:
        for port in wanted:
            try:
                held.append(socket.create_server((host, port)))
            except OSError:
                held.append(socket.create_server((host, 0)))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's, too."""
    return msgspec.json.encode(text).decode()
