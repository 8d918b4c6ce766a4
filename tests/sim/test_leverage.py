"""The node's answer about chosen leverages: the same bytes as those of messages that were declared elsewhere."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.sim.node.leverage import LeverageAnswer, LeverageRequest, leverage
from dydx_console.sim.node.refusals import QueryRefusedError
from dydx_console.sim.venue import Venue, VenueOptions
from dydx_console.venue.node.leverage import QueryLeverageRequest, QueryLeverageResponse

NUMBERS = st.integers(0, 2**32 - 1)
OPTIONS = VenueOptions(history_hours=0, makers=False, trader=False, leverages=(("ETH-USD", 5), ("BTC-USD", 3)))


@given(owner=st.text(max_size=60), number=NUMBERS)
def test_a_request_is_read_as_it_was_written(owner: str, number: int) -> None:
    data = QueryLeverageRequest(owner=owner, number=number).SerializeToString()
    assert LeverageRequest.FromString(data) == LeverageRequest(owner, number)


@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5))
def test_an_answer_is_read_as_it_was_written(rows: list[tuple[int, int]]) -> None:
    answer = QueryLeverageResponse.FromString(LeverageAnswer(tuple(rows)).SerializeToString())
    assert [(row.clob_pair_id, row.custom_imf_ppm) for row in answer.clob_pair_leverage] == rows


def read_or_refused(data: bytes) -> LeverageRequest | str:
    try:
        return LeverageRequest.FromString(data)
    except ValueError as error:
        return str(error)


@given(data=st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_with_a_reason(data: bytes) -> None:
    assert read_or_refused(data)


def test_the_demo_accounts_choice_is_told_for_its_parent_alone() -> None:
    venue = Venue(OPTIONS, 1_800_000_000_000)
    mine = venue.options.account
    assert leverage(venue, LeverageRequest(mine, 0)).rows == ((0, 333_333), (1, 200_000))
    assert leverage(venue, LeverageRequest(mine, 128)).rows == ()
    assert leverage(venue, LeverageRequest("dydx1other", 0)).rows == ()
    with pytest.raises(QueryRefusedError, match="invalid request"):
        leverage(venue, LeverageRequest("", 0))


@pytest.mark.parametrize("choice", ["ETH-USD", "ETH-USD=0", "ETH-USD=2.5", "NONE-USD=3", "=3", "ETH-USD=101"])
def test_a_choice_that_cannot_be_is_refused(choice: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dydx_console.sim", "--leverage", choice], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert re.search(r"--leverage: not a market and a leverage, such as ETH-USD=5", done.stderr)
