"""Logs of every process: to standard error, as text or JSON, without the values of variables.

Standard output belongs to the line ``ready``. Tracebacks are plain: a prettier one would show local variables, and with
them addresses of people.
"""

import sys
from typing import Final

import structlog
from structlog.typing import Processor

from schemas.errors import ConfigError
from stream.settings import Settings

LEVELS: Final = ("debug", "info", "warning", "error")
_JSON: Final[tuple[Processor, ...]] = (
    structlog.processors.TimeStamper("iso", utc=True),
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(),
)


def configure_logs(settings: Settings) -> None:
    """Let structlog do as ``settings`` say. Once, when a process starts.

    Raises: ConfigError for a level or format that does not exist.
    """
    if settings.log_level not in LEVELS:
        raise ConfigError(f"TOUCHLINE_LOG_LEVEL is one of {', '.join(LEVELS)}; got {settings.log_level!r}")
    if settings.log_format not in {"console", "json"}:
        raise ConfigError(f"TOUCHLINE_LOG_FORMAT is console or json; got {settings.log_format!r}")
    text: tuple[Processor, ...] = (
        structlog.processors.TimeStamper("%Y-%m-%d %H:%M:%S"),
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback),
    )
    structlog.configure(
        processors=[structlog.processors.add_log_level, *(_JSON if settings.log_format == "json" else text)],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
