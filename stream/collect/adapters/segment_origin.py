"""Which SDK sent a call, and whether it runs in a browser, in an app or on a server."""

from functools import lru_cache
from typing import Final

import msgspec

from schemas import event as kinds
from stream.collect import normal
from stream.collect.adapters.segment_wire import Context

_BROWSER: Final = ("analytics.js", "analytics-js", "analytics-next", "javascript")
_ANYWHERE: Final = ("csharp",)
"""Segment's for .NET sends to the browser's paths from servers and apps alike, and does not say from which."""
_APP: Final = ("ios", "swift", "android", "kotlin", "react-native", "flutter", "unity", "xamarin", "cordova")


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What the name of the library tells."""

    library: str = ""
    protocol: str = "segment"
    platform: str = ""
    """web or app for libraries that run at the visitor's, else ""."""
    anywhere: bool = False
    """The path says nothing of where it runs."""

    @property
    def client(self) -> bool:
        """Whether the connection is the visitor's own."""
        return self.platform != ""


NO_ORIGIN: Final = Origin()


@lru_cache(maxsize=1024)
def origin_of(library: str | None) -> Origin:
    """By ``context.library.name``."""
    name = (library or "").lower()
    platform = ""
    if any(part in name for part in _APP):
        platform = kinds.APP
    elif any(part in name for part in _BROWSER):
        platform = kinds.WEB
    protocol = "rudderstack" if "rudder" in name else "segment"
    return Origin(normal.text(library, 64), protocol, platform, any(part in name for part in _ANYWHERE))


def platform_of(kind: str, channel: str | None, context: Context | None, origin: Origin, *, browser: bool) -> str:
    """Platform of a call. A server that passes on the visitor's page or user agent speaks for a browser."""
    if origin.platform == kinds.APP or channel == "mobile" or kind == kinds.SCREEN:
        return kinds.APP
    seen = context is not None and (context.page is not None or context.user_agent is not None)
    if browser or seen or kind == kinds.PAGE or origin.platform == kinds.WEB or channel == "web":
        return kinds.WEB
    return kinds.SERVER
