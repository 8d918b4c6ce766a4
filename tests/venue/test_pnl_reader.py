"""Reading the Indexer's own word on PNL over real loopback sockets: by pages, and each part for itself."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from builders import ADDRESS
from engine.test_rest import Reply, reading, served
from venue.test_pnl_answers import POINT, TICK, TRADE

from dydx_console.domain import events as ev
from dydx_console.domain.venue_pnl import HistoricalPnlRead, PnlRead, TradeHistoryRead
from dydx_console.venue.indexer.pnl_reader import PnlReader

TOTAL = 2_500


def answer(path: str) -> Reply:
    split = urlsplit(path)
    query = parse_qs(split.query)
    assert query["address"] == [ADDRESS]
    assert query["parentSubaccountNumber"] == ["0"]
    if "tradeHistory" in split.path:
        first = (int(query["page"][0]) - 1) * 1000
        rows = [{**TRADE, "id": f"o{number}"} for number in range(first, min(first + 1000, TOTAL))]
        return 200, {}, json.dumps({"tradeHistory": rows, "totalResults": TOTAL, "offset": first, "pageSize": 1000})
    if "historical-pnl" in split.path:
        return 200, {}, json.dumps({"historicalPnl": [TICK]})
    return 200, {}, json.dumps({"pnl": [{**POINT, "createdAtHeight": "7"}]})


async def test_the_trade_history_is_read_to_its_end_and_the_series_once() -> None:
    told: list[ev.Fact] = []
    with served(answer) as (url, asked):
        async with reading(url) as rest:
            assert await PnlReader(rest, ADDRESS, 0, told.append).read(1)
    assert sum(len(fact.rows) for fact in told if isinstance(fact, TradeHistoryRead)) == TOTAL
    assert [type(fact) for fact in told[-2:]] == [PnlRead, HistoricalPnlRead]
    assert len(asked) == 5


async def test_no_more_pages_are_read_than_wanted() -> None:
    told: list[ev.Fact] = []
    with served(answer) as (url, asked):
        async with reading(url) as rest:
            assert await PnlReader(rest, ADDRESS, 0, told.append, most_pages=1).read(1)
    assert len([path for path in asked if "tradeHistory" in path]) == 1


@pytest.mark.parametrize("broken", ["/tradeHistory/", "/v4/pnl/", "/historical-pnl/"])
async def test_what_could_not_be_read_does_not_keep_the_others_from_being_read(broken: str) -> None:
    told: list[ev.Fact] = []

    def reply(path: str) -> Reply:
        return (400, {}, '{"errors":[{"msg":"no"}]}') if broken in path else answer(path)

    with served(reply) as (url, _):
        async with reading(url) as rest:
            assert not await PnlReader(rest, ADDRESS, 0, told.append, most_pages=1).read(1)
    assert len([fact for fact in told if isinstance(fact, ev.ReadFailed)]) == 1
    assert len({type(fact) for fact in told} & {TradeHistoryRead, PnlRead, HistoricalPnlRead}) == 2
