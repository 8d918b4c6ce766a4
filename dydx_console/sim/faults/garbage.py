"""Texts that no client should take for data."""

from __future__ import annotations

from dataclasses import dataclass

from dydx_console.sim.indexer import outlet
from dydx_console.sim.indexer.session import Session

_HUGE = "1" + "0" * 400
_HEAD = '"connection_id":"%(connection)s","message_id":%(number)d'
_BOOK = f'{{"type":"channel_data",{_HEAD},"id":"%(ticker)s","channel":"v4_orderbook","version":"1.0.0","contents":'


@dataclass(frozen=True, slots=True)
class Sample:
    """A text with places for %(connection)s, %(number)d, %(ticker)s; `numbered` ones take the connection's next id."""

    name: str
    text: str
    numbered: bool = False


SAMPLES = (
    Sample("half a message", '{"type":"channel_data","contents":'),
    Sample("nothing", ""),
    Sample("HTML", "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>"),
    Sample("a list", "[1,2,3]"),
    Sample("a number for a type", '{"type":5,"message_id":"one"}'),
    Sample("an unknown type", f'{{"type":"channel_gossip",{_HEAD},"channel":"v4_trades","contents":{{}}}}'),
    Sample("no ids", '{"type":"channel_data","channel":"v4_trades","version":"2.1.0","contents":{"trades":[]}}'),
    Sample("NaN for an id", '{"type":"channel_data","connection_id":"%(connection)s","message_id":NaN,"contents":{}}'),
    Sample("10^400 for an id", f'{{"type":"channel_data","connection_id":"x","message_id":{_HUGE},"contents":{{}}}}'),
    Sample("2,000 brackets", "[" * 2_000 + "]" * 2_000),
    Sample(
        "an unknown channel",
        f'{{"type":"channel_data",{_HEAD},"id":"x","channel":"v4_gossip","version":"1.0.0","contents":{{}}}}',
        numbered=True,
    ),
    Sample(
        "an unknown version",
        f'{{"type":"channel_data",{_HEAD},"id":"%(ticker)s","channel":"v4_orderbook","version":"99.0.0",'
        '"contents":{"levels":"none"}}',
        numbered=True,
    ),
    Sample("a NaN price", _BOOK + '{"bids":[[NaN,"1"]]}}', numbered=True),
    Sample("a price of 10^400", f'{_BOOK}{{"bids":[["{_HUGE}","1"]]}}}}', numbered=True),
    Sample("a negative size", _BOOK + '{"bids":[["1","-1"]]}}', numbered=True),
    Sample("a number for contents", _BOOK + "5}", numbered=True),
    Sample("a key twice", _BOOK + '{"bids":[]},"contents":[[]]}', numbered=True),
)


def garbage(index: int, session: Session) -> str:
    """Fill a sample in for a connection; a numbered one takes the connection's next number, as data would."""
    sample = SAMPLES[index]
    if sample.numbered:
        session.message_id += 1
    books = sorted(id for channel, id in session.subscriptions if channel == outlet.ORDERBOOK)
    ticker = books[0] if books else "BTC-USD"
    return sample.text % {"connection": session.connection_id, "number": session.message_id, "ticker": ticker}
