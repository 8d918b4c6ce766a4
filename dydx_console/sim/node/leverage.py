"""The leverage that an owner chose: a query that generated code of today does not have.

Source: dydxprotocol/v4-chain protocol/x/clob/keeper/grpc_query_leverage.go and proto/dydxprotocol/clob/query.proto; the
bytes are those of protocol buffers' wire format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from dydx_console.sim.node.refusals import Code, QueryRefusedError
from dydx_console.sim.venue import Venue

VARINT, LENGTH = 0, 2
PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class LeverageRequest:
    """Whose leverage is asked for."""

    owner: str = ""
    number: int = 0

    @staticmethod
    def FromString(data: bytes) -> LeverageRequest:  # noqa: N802 - what gRPC's handlers expect of a message
        """The request in some bytes; fields that are not known are passed over. ValueError where it is none."""
        owner, number = "", 0
        for field, value in _fields(data):
            if field == 1 and isinstance(value, bytes):
                owner = value.decode()
            elif field == 2 and isinstance(value, int):
                number = value
        return LeverageRequest(owner, number)


@dataclass(frozen=True, slots=True)
class LeverageAnswer:
    """Pairs of a market's number at the book and the margin fraction chosen for it, in parts per million."""

    rows: tuple[tuple[int, int], ...]

    def SerializeToString(self) -> bytes:  # noqa: N802 - what gRPC's handlers expect of a message
        """The answer as bytes; a zero is left out, as the format has it."""
        return b"".join(_tagged(1, _row(pair, ppm)) for pair, ppm in self.rows)


def leverage(venue: Venue, request: LeverageRequest) -> LeverageAnswer:
    """What the demo account chose by the venue's options; nobody else has chosen any."""
    if not request.owner:
        raise QueryRefusedError(Code.INVALID_ARGUMENT, "invalid request")
    if (request.owner, request.number) != (venue.options.account, 0):
        return LeverageAnswer(())
    chosen = ((venue.exchange.market(ticker).clob_pair_id, times) for ticker, times in venue.options.leverages)
    return LeverageAnswer(tuple(sorted((pair, PPM // times) for pair, times in chosen)))


def _row(pair: int, ppm: int) -> bytes:
    return b"".join(_varint(field << 3 | VARINT) + _varint(value) for field, value in ((1, pair), (2, ppm)) if value)


def _tagged(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | LENGTH) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message that has numbers and byte strings alone."""
    left = iter(data)
    for first in left:
        tag = _number(first, left)
        size = _number(next(left, 0), left)
        if tag & 7 == VARINT:
            yield tag >> 3, size
        elif tag & 7 == LENGTH:
            value = bytes(islice(left, size))
            if len(value) < size:
                raise ValueError("a message that is cut off")
            yield tag >> 3, value
        else:
            raise ValueError("a field of a kind that is not expected")


def _number(first: int, more: Iterable[int]) -> int:
    value, shift = first & 0x7F, 7
    if first > 0x7F:
        for byte in more:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte <= 0x7F:
                break
    return value
