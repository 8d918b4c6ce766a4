"""gRPC channels: made when they are first used, one to an endpoint, verified, and without help of the environment."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import grpc.aio

from dydx_console.venue.node.endpoints import Endpoint

__all__ = ["MAX_ANSWER_BYTES", "Channels", "ClosedError"]

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Largest answer that is taken: a block comes whole and in two forms."""

_KEEPALIVE_MS = 30_000
_KEEPALIVE_TIMEOUT_MS = 10_000
_CONNECT_TIMEOUT_MS = 5_000
_FIRST_RECONNECT_MS = 250
_SLOWEST_RECONNECT_MS = 3_000

_NO_PROXY: tuple[tuple[str, int | str], ...] = (
    ("grpc.enable_http_proxy", 0),
    # a second kind of proxy, by address, which the first switch leaves on
    ("grpc.address_http_proxy_enabled_addresses", ""),
)


class ClosedError(Exception):
    """The channels are closed for good."""


@dataclass(slots=True, eq=False)
class _Line:
    """A channel, and how many calls are on it."""

    channel: grpc.aio.Channel
    calls: int = 0


class Channels:
    """The channels to a network's endpoints. To be used in one event loop.

    Args:
        endpoints: what may be connected to.
        user_agent: what we call ourselves.
        allow_proxy: whether the proxy variables of the environment are honoured.
        roots: certificates in PEM to trust instead of those that come with the gRPC library.
        max_answer_bytes: largest answer that is taken.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        user_agent: str,
        *,
        allow_proxy: bool = False,
        roots: bytes | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._endpoints = {endpoint.label: endpoint for endpoint in endpoints}
        self._roots = roots
        self._options = _options(user_agent, allow_proxy, max_answer_bytes)
        self._open: dict[str, _Line] = {}
        self._retired: set[_Line] = set()
        self._closed = False

    @asynccontextmanager
    async def to(self, label: str) -> AsyncIterator[grpc.aio.Channel]:
        """Lend the channel to an endpoint for one call. Raises ClosedError after `close`."""
        if self._closed:
            raise ClosedError
        line = self._open.get(label)
        if line is None:
            line = self._open[label] = _Line(self._made(self._endpoints[label]))
        line.calls += 1
        try:
            yield line.channel
        finally:
            line.calls -= 1
            if line.calls == 0 and line in self._retired:
                self._retired.discard(line)
                await line.channel.close()

    def retire(self, label: str, channel: grpc.aio.Channel) -> None:
        """Let later calls have a fresh channel instead of this one, which is lent and ends with the last call on it."""
        line = self._open.get(label)
        if line is not None and line.channel is channel:
            del self._open[label]
            self._retired.add(line)

    async def close(self) -> None:
        """Close the channels; calls under way are cancelled."""
        self._closed = True
        lines = {*self._open.values(), *self._retired}
        self._open.clear()
        self._retired.clear()
        for line in lines:
            await line.channel.close()

    def _made(self, endpoint: Endpoint) -> grpc.aio.Channel:
        target = f"dns:///{endpoint.label}"
        if endpoint.plaintext:
            return grpc.aio.insecure_channel(target, options=self._options)
        credentials = grpc.ssl_channel_credentials(root_certificates=self._roots)
        return grpc.aio.secure_channel(target, credentials, options=self._options)


def _options(user_agent: str, allow_proxy: bool, max_answer_bytes: int) -> tuple[tuple[str, int | str], ...]:
    """Return the channel arguments (grpc/grpc include/grpc/impl/channel_arg_names.h)."""
    return (
        *(() if allow_proxy else _NO_PROXY),
        ("grpc.primary_user_agent", user_agent),
        ("grpc.max_receive_message_length", max_answer_bytes),
        # public nodes close connections that ping while nothing is asked; a dead one shows in the call itself
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 0),
        # despite its name this also bounds a connection attempt, which would otherwise take 20 s
        ("grpc.min_reconnect_backoff_ms", _CONNECT_TIMEOUT_MS),
        ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _SLOWEST_RECONNECT_MS),
        # what a name server says beyond addresses must not change how calls are made
        ("grpc.service_config_disable_resolution", 1),
        # connections of their own: a check must not be answered by another client's old connection
        ("grpc.use_local_subchannel_pool", 1),
    )
