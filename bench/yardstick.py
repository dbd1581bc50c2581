"""The collector's yardstick: the same server that only parses the body with orjson and answers.

python -m bench.yardstick -> ready port=N
"""

import asyncio
import gc

import orjson
import uvloop
from aiohttp import web

_ANSWER = b'{"success": true}'


async def answer(request: web.Request) -> web.Response:
    orjson.loads(await request.read())
    return web.Response(body=_ANSWER, headers={"Content-Type": "application/json"})


async def serve() -> None:
    app = web.Application(client_max_size=4 << 20)
    app.router.add_post("/v1/batch", answer)
    app.router.add_post("/v1/track", answer)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"ready port={runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    uvloop.run(serve())
