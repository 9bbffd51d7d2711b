"""A TCP proxy between worker and server that misbehaves on demand: the network of scenario F5 and F16."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Literal

Mode = Literal["pass", "black_hole", "slow", "drip"]
LATENCY_SECONDS = 0.2
CHUNK_BYTES = 65_536


class Proxy:
    """Listens on a loopback port and passes bytes on to `target_port` in the way `mode` says.

    `black_hole` swallows what is sent either way and keeps connections open; `slow` adds 200 ms to every chunk;
    `drip` passes single bytes. `reset_all` cuts every connection with a TCP reset.
    """

    def __init__(self, target_port: int) -> None:
        self.mode: Mode = "pass"
        self.port = 0
        self.connections = 0
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where workers find the server."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Proxy:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.port = server.result(10).sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.reset_all()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def reset_all(self) -> int:
        """Reset every connection; how many there were."""
        return asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result(10)

    async def _reset(self) -> int:
        writers = list(self._writers)
        for writer in writers:
            # abort() drops what is unsent and closes at once: the peer sees a connection that breaks.
            writer.transport.abort()
        return len(writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, there_writer)
        self._writers.update(ends)
        try:
            await asyncio.gather(self._pass_on(reader, there_writer), self._pass_on(there_reader, writer))
        finally:
            self._writers.difference_update(ends)
            for end in ends:
                end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self.mode == "black_hole":
                    continue
                if self.mode == "slow":
                    await asyncio.sleep(LATENCY_SECONDS)
                size = 1 if self.mode == "drip" else len(chunk)
                for start in range(0, len(chunk), size):
                    writer.write(chunk[start : start + size])
                    await writer.drain()
            writer.transport.abort()
