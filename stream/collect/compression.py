"""Content-Encoding of request bodies: gzip and deflate, with the limit on what comes out, so that a bomb cannot.

>>> import gzip
>>> decompressed(gzip.compress(b"{}"), "gzip", limit=10)
b'{}'
"""

import zlib
from typing import Final

from schemas.rejections import RejectReason
from stream.collect.bodies import Unfit

_GZIP: Final = 16 + zlib.MAX_WBITS
_WINDOWS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before compression. Raises: Unfit if it is cut short, corrupt, unknown or beyond ``limit``."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    window = _WINDOWS.get(encoding)
    if window is None:
        raise Unfit(RejectReason.UNSUPPORTED, "Content-Encoding: only gzip and deflate")
    if encoding == "deflate" and body[:1] and body[0] & 0x0F != zlib.DEFLATED:
        window = -zlib.MAX_WBITS  # SURPRISE: half of the clients send deflate without the zlib header
    plain = bytearray()
    while body:  # gzip may have several members
        decoder = zlib.decompressobj(window)
        try:
            plain += decoder.decompress(body, limit + 1 - len(plain))
        except zlib.error:
            raise Unfit(RejectReason.MALFORMED, "the compressed body is corrupt") from None
        if len(plain) > limit:
            raise Unfit(RejectReason.TOO_LARGE, "the body is larger than the limit")
        if not decoder.eof:
            raise Unfit(RejectReason.MALFORMED, "the compressed body ends early")
        body = decoder.unused_data
    return bytes(plain)
