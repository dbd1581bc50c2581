"""Services that let others go first, as the kernel counts it."""

import asyncio
import os
from pathlib import Path

import pytest

from stream.cli.supervisor import Service, Supervisor


@pytest.mark.parametrize("nice", [0, 7])
def test_a_service_is_as_nice_as_it_says(tmp_path: Path, nice: int) -> None:
    arguments = ("--data", str(tmp_path / "broker"), "--host", "127.0.0.1", "--port", "0")
    service = Service("broker", "stream.embedded.broker", arguments, nice=nice)

    async def niceness() -> int:
        supervisor = Supervisor(tmp_path, os.environ, pytest.fail)
        await supervisor.start(service)
        pid = supervisor._running["broker"].pid
        found = os.getpriority(os.PRIO_PROCESS, pid)
        await supervisor.stop([[service]])
        return found

    assert asyncio.run(niceness()) == os.getpriority(os.PRIO_PROCESS, 0) + nice
