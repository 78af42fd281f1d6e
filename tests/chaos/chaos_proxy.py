"""A TCP proxy that cuts connections. Without it a server that restarts on another port, or a wire that breaks, could not be played."""

import asyncio
import contextlib
import threading
from typing import Self

CONNECT_SECONDS = 5.0
PIECE_BYTES = 65536


class Proxy:
    """Listens on a loopback port of its own; ``target`` is the port it leads to (None: nobody is there)."""

    def __init__(self, target: int | None = None) -> None:
        self.target = target
        self.cuts = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(CONNECT_SECONDS)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(CONNECT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> int:
        """Break every connection there is, with a reset; how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(CONNECT_SECONDS)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut(self) -> int:
        broken = list(self._open)
        for writer in broken:
            writer.transport.abort()
        self.cuts += len(broken)
        return len(broken)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._open.add(writer)
        try:
            if self.target is None:
                return
            far, there = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.target), CONNECT_SECONDS)
            ends.append(there)
            self._open.add(there)
            await asyncio.gather(_pump(reader, there), _pump(far, writer))
        except (OSError, TimeoutError):
            return  # nobody answers there: the caller sees a closed connection
        finally:
            for end in ends:
                self._open.discard(end)
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.close()
