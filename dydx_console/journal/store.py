"""The writer's connection: whole transactions, nothing else."""

import asyncio
import sqlite3
from collections.abc import Coroutine, Iterable
from pathlib import Path

import aiosqlite

from dydx_console.journal.opening import BUSY_S, uri_of
from dydx_console.journal.statements import Statement

__all__ = ["Store"]

MOST_WAL_BYTES = 64 * 1024 * 1024
PATIENCE_S = 0.5
"""How long a thread that is being waited for by nobody any more may take to end what it does."""


class Store:
    """Writes one file, in aiosqlite's thread. It is used by one task at a time.

    Args:
        factory: the class of the connection; other ones for tests.
    """

    def __init__(self, factory: type[sqlite3.Connection] = sqlite3.Connection) -> None:
        self._factory = factory
        self._connection: aiosqlite.Connection | None = None
        self._is_durable: bool | None = None
        self._is_clean = True

    async def connect(self, path: Path) -> None:
        """Connect to a file that exists. Raises sqlite3.Error; then, as where this is cancelled, there is none."""
        try:
            await _to_its_end(self._connect(path))
            await self._prepare()
        except BaseException:
            await self.close()
            raise

    async def transact(self, statements: Iterable[Statement], *, durable: bool) -> None:
        """Run statements in one transaction: all of them, or none.

        A durable one is on the disk when this returns, with all before it; any other survives the end of the process
        at once, and a power failure soon. Raises sqlite3.Error and what making a row raises. Where this is cancelled,
        the transaction may or may not have taken place.
        """
        connection = self._open()
        if not self._is_clean:
            await connection.rollback()
        if self._is_durable is not durable:
            await self._run(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._is_durable = durable
        self._is_clean = False
        await self._run("BEGIN IMMEDIATE")
        for sql, rows in statements:
            await connection.executemany(sql, rows)
        await self._run("COMMIT")
        self._is_clean = True

    async def close(self) -> None:
        """Close the connection, which moves the log into the file; a second call does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _to_its_end(connection.close())

    async def _connect(self, path: Path) -> None:
        self._connection = await aiosqlite.connect(
            uri_of(path, "rw"), uri=True, isolation_level=None, timeout=BUSY_S, factory=self._factory
        )
        self._is_durable, self._is_clean = None, True

    async def _prepare(self) -> None:
        # macOS brings data to the disk itself only when it is asked to by name; elsewhere these two do nothing
        for pragma in (
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "fullfsync=ON",
            "checkpoint_fullfsync=ON",
            f"journal_size_limit={MOST_WAL_BYTES}",
        ):
            await self._run(f"PRAGMA {pragma}")

    async def _run(self, sql: str) -> None:
        await self._open().execute(sql)

    def _open(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("there is no connection to the journal")
        return self._connection


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Do work of the thread; where this is cancelled, the work still ends first, unless that takes long.

    A thread whose answer finds the loop closed fails aloud.
    """
    doing = asyncio.gather(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing}, timeout=PATIENCE_S)
        if doing.done() and not doing.cancelled():
            doing.exception()
        raise
