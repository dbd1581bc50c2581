"""What runs on one machine and in which order: the services of ``touchline up``, and the lock on their folder."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

import msgspec

from schemas.errors import Fatal
from stream.cli.supervisor import Service, Supervisor
from stream.embedded.owner import own
from stream.settings import Settings, variable

_BEHIND: Final = 10
BROKER: Final = Service("broker", "stream.embedded.broker", stop_s=2.0)
# An alert is for a visitor who is still there; a row of a report can wait for it.
SQL: Final = Service("sql", "stream.embedded.sql", stop_s=3.0, nice=_BEHIND)
WORKER: Final = Service("worker", "stream.stages", stop_s=3.0)
SINK: Final = Service("sink", "sinks", stop_s=3.0, nice=_BEHIND)
COLLECT: Final = Service("collect", "stream.collect", stop_s=2.0)


class OneMachine:
    """All processes of one data folder, from ``start`` to ``stop``.

    With ``settings.kafka`` or ``settings.clickhouse`` given, the stand-in for it is not started.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.data = Path(settings.data).absolute()
        self.data.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.data)
        self.supervisor = Supervisor(self.data, environment(settings, os.environ), say)

    async def start(self, prepare: Callable[[Settings], object]) -> None:
        """Start everything; ``prepare`` (topics, migrations, rules) is called once broker and SQL answer.

        Raises: Fatal if something does not start.
        """
        place = ("--data", str(self.data), "--host", self.settings.host)
        if not self.settings.kafka:
            broker = (*place, "--port", str(self.settings.broker_port), "--fsync", self.settings.fsync)
            await self.supervisor.start(msgspec.structs.replace(BROKER, arguments=_below(broker, "broker")))
        if not self.settings.clickhouse:
            sql = (*place, "--port", str(self.settings.sql_port), "--fsync", self.settings.fsync)
            await self.supervisor.start(msgspec.structs.replace(SQL, arguments=_below(sql, "sql")))
        await asyncio.to_thread(prepare, self.settings)
        for service in (SINK, WORKER, COLLECT):
            await self.supervisor.start(service)

    async def stop(self) -> None:
        """Stop in the order of the flow, so that each finds its downstream still there."""
        await self.supervisor.stop([[COLLECT], [WORKER], [SINK], [SQL, BROKER]])
        self._lock.close()


def environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of the child processes: what is inherited, and every setting as it is now."""
    values = {variable(f): _text(getattr(settings, f)) for f in settings.__struct_fields__}
    values["TOUCHLINE_DATA"] = str(Path(settings.data).absolute())
    values["TOUCHLINE_CONFIG"] = str(Path(settings.config).absolute())
    return {**inherited, **values, "PYTHONUNBUFFERED": "1"}


def _text(setting: object) -> str:
    return str(setting).lower() if isinstance(setting, bool) else str(setting)


def _below(arguments: tuple[str, ...], folder: str) -> tuple[str, ...]:
    """The same arguments with the data folder's sub-folder."""
    return tuple(
        str(Path(a) / folder) if before == "--data" else a
        for before, a in zip(("", *arguments), arguments, strict=False)
    )


def _lock(data: Path) -> IO[str]:
    lock = own(data / "lock", patience_s=0)
    if lock is None:
        raise Fatal(f"{data} is in use by another `touchline up`; stop that one or choose another --data")
    return lock
