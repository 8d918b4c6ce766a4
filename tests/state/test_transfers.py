"""Transfers: stream and REST tell the same ones, with and without ids, child and parent numbers."""

from dataclasses import replace
from decimal import Decimal

from builders import ADDRESS, at_height

from dydx_console.domain.flows import Transfer
from dydx_console.state.transfers import Transfers

STREAMED = Transfer(
    None, "DEPOSIT", Decimal(5), "USDC", ADDRESS, None, ADDRESS, 128, at_height(3), 3, transaction_hash="AB"
)
READ = replace(STREAMED, id="t1", recipient_subaccount=0)


def test_rest_stands_for_the_stream_row_of_the_same_transfer() -> None:
    for rows in ((STREAMED, READ), (READ, STREAMED), (STREAMED, STREAMED, READ, READ)):
        transfers = Transfers()
        transfers.take(rows)
        assert transfers.newest == (READ,)
        assert len(transfers) == 1


def test_two_alike_in_one_transaction_are_two() -> None:
    transfers = Transfers()
    other = replace(STREAMED, recipient_subaccount=256)
    transfers.take((STREAMED, other))
    assert len(transfers) == 2
    transfers.take((READ,))
    assert transfers.newest == (other, READ) or set(transfers.newest) == {other, READ}
    transfers.take((replace(READ, id="t2"),))
    assert {row.id for row in transfers.newest} == {"t1", "t2"}


def test_newest_first() -> None:
    transfers = Transfers()
    later = replace(STREAMED, height=9, created_at=at_height(9))
    transfers.take((STREAMED, later))
    assert transfers.newest == (later, STREAMED)
