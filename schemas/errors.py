"""What can go wrong outside the data.

TouchlineError
├── Fatal        stop and tell the operator: trying again changes nothing
│   └── ConfigError
└── Retryable    the world is not ready; try again after ``retry_after_s``
"""


class TouchlineError(Exception):
    """Root of our own exceptions. The text says what happened, where, and what to do about it."""


class Fatal(TouchlineError):
    """Trying again will not help."""


class ConfigError(Fatal):
    """A setting or a rules file is wrong; the text names it."""


class Retryable(TouchlineError):
    """The broker, ClickHouse or the network is not ready."""

    def __init__(self, text: str, retry_after_s: float = 1.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
