"""One client's connection: cuts the stream into requests and answers them one by one, in order, as Kafka does.

Whatever comes in, nothing but this connection suffers: a request that cannot be read, or is too large, ends it.
"""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from stream.embedded.broker import apis, codes, wire
from stream.embedded.broker.apis import API_VERSIONS
from stream.embedded.broker.requests import Answer, Response

log = logging.getLogger(__name__)
MAX_REQUEST_BYTES: Final = 100 << 20
"""As Kafka's socket.request.max.bytes."""
_HEADER: Final = struct.Struct(">hhi")
_LEAST: Final = _HEADER.size + 2
_READ_AHEAD_BYTES: Final = 4 << 20
_WRITE_BUFFER_BYTES: Final = 1 << 20
_JOIN_BYTES: Final = 32 << 10

Handler = Callable[["Connection", Any], Answer]


class Connection(asyncio.Protocol):
    """A connection. ``closed`` is called once when it is gone."""

    def __init__(
        self, handlers: Mapping[int, Handler], opened: set["Connection"], closed: Callable[["Connection"], None]
    ) -> None:
        self._handlers = handlers
        self._opened = opened
        self._closed = closed
        self._buffer = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self._writable = True
        self._reading = True
        self._transport: asyncio.Transport | None = None
        self.client = ""
        self.host = ""
        self.address = ("", 0)

    # -- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        # SURPRISE: uvloop's transports are no asyncio.Transport, they only act like one.
        self._transport = stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(_WRITE_BUFFER_BYTES)
        self.address = tuple(stream.get_extra_info("sockname")[:2])
        self.host = f"/{stream.get_extra_info('peername')[0]}"
        self._opened.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """See asyncio."""
        self._transport = None
        self._opened.discard(self)
        if self._answering is not None:
            self._answering.cancel()
        self._closed(self)

    def data_received(self, chunk: bytes) -> None:
        """See asyncio."""
        self._buffer += chunk
        self._go_on()

    def pause_writing(self) -> None:
        """See asyncio."""
        self._writable = False

    def resume_writing(self) -> None:
        """See asyncio."""
        self._writable = True
        self._go_on()

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    # -- requests -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Answer what is in the buffer, until a request is incomplete or has to wait."""
        try:
            while self._transport is not None and self._answering is None and self._writable:
                frame = self._next_frame()
                if frame is None:
                    break
                self._answer(frame)
        except (wire.Malformed, struct.error, UnicodeDecodeError, TypeError) as error:
            log.warning("a malformed request ends its connection: %s", error)
            self.abort()
        except Exception:
            log.exception("a request failed")
            self.abort()
        self._throttle()

    def _next_frame(self) -> memoryview | None:
        if len(self._buffer) < wire.INT32.size:
            return None
        size = int(wire.INT32.unpack_from(self._buffer)[0])
        if not _LEAST <= size <= MAX_REQUEST_BYTES:
            raise wire.Malformed(f"a request of {size} bytes")
        end = wire.INT32.size + size
        if len(self._buffer) < end:
            return None
        if len(self._buffer) == end:  # the usual case: nothing to copy
            whole, self._buffer = self._buffer, bytearray()
        else:
            whole = self._buffer[:end]
            del self._buffer[:end]
        return memoryview(whole)[wire.INT32.size :]

    def _answer(self, frame: memoryview) -> None:
        key, version, correlation = _HEADER.unpack_from(frame)
        api = apis.APIS.get(key)
        if api is None or not api.first <= version <= api.last:
            self._decline(key, version, correlation)
            return
        decode, encode = apis.codec(key, version)
        pos = self._read_client(frame)
        if version >= api.flexible:
            pos = wire.skip_tags(frame, pos)
        asked, _ = decode(frame, pos)
        # ApiVersions answers with the old header always: its reader does not know yet what we speak.
        tagged = version >= api.flexible and key != API_VERSIONS
        head = wire.INT32.pack(correlation) + (b"\0" if tagged else b"")
        answer = self._handlers[key](self, asked)
        if isinstance(answer, tuple):
            self._send(head, encode, answer)
        elif answer is not None:
            self._answering = asyncio.ensure_future(self._answer_later(head, encode, answer))

    def _read_client(self, frame: memoryview) -> int:
        size = int(wire.INT16.unpack_from(frame, _HEADER.size)[0])
        pos = _HEADER.size + wire.INT16.size
        if size < 0:
            return pos
        if pos + size > len(frame):
            raise wire.Malformed("the client id overruns the frame")
        self.client = str(frame[pos : pos + size], "utf-8")
        return pos + size

    def _decline(self, key: int, version: int, correlation: int) -> None:
        if key != API_VERSIONS:
            raise wire.Malformed(f"api {key} version {version} is not spoken here")
        _, encode = apis.codec(API_VERSIONS, 0)
        self._send(wire.INT32.pack(correlation), encode, (codes.UNSUPPORTED_VERSION, apis.ADVERTISED, 0))

    async def _answer_later(self, head: bytes, encode: wire.Encode, answer: Awaitable[Response | None]) -> None:
        try:
            response = await answer
            if response is not None:
                self._send(head, encode, response)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a request failed")
            self.abort()
        self._answering = None
        self._go_on()

    def _send(self, head: bytes, encode: wire.Encode, response: Response) -> None:
        parts = [b"", head]
        encode(parts, response)
        size = sum(map(len, parts))
        parts[0] = wire.INT32.pack(size)
        if self._transport is not None:
            if size > _JOIN_BYTES:
                self._transport.writelines(parts)  # records go out without a copy
            else:
                self._transport.write(b"".join(parts))

    def _throttle(self) -> None:
        """Stop reading while a request waits and enough of the next ones is here."""
        if self._transport is None or self._transport.is_closing():
            return
        waits = self._answering is not None or not self._writable
        wanted = not (waits and len(self._buffer) > _READ_AHEAD_BYTES)
        if wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
