"""The Indexer's WebSocket protocol without a socket: text in, facts out.

One `IndexerProtocol` serves one connection. It keeps no market or account state; it decodes, numbers and names.
Source of the message forms: dydxprotocol/v4-chain indexer/services/socks/src/{types.ts,helpers/message.ts}.
"""

from collections.abc import Callable

import msgspec

from dydx_console.domain.events import (
    AccountSnapshot,
    AccountUpdate,
    BlockHeight,
    BookSnapshot,
    BookUpdate,
    CandleUpdate,
    ChannelKey,
    ConnectionReady,
    Fact,
    Frame,
    MarketsUpdate,
    MessageRejected,
    OracleUpdate,
    Subscribed,
    SubscribeSent,
    TradesUpdate,
    Unsubscribed,
    VenueRefusal,
)
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.numbers import NumberError, height_of, time_of
from dydx_console.domain.text import clean
from dydx_console.venue.indexer import channels, rows, wire

__all__ = ["IndexerProtocol"]

SAMPLE_LENGTH = 200
MOST_KEYS = 2_000
MOST_MESSAGES = 2**53
"""Highest message number that is believed: more than any connection can live to see."""

_envelope = msgspec.json.Decoder(wire.Envelope)
_batch = msgspec.json.Decoder(list[msgspec.Raw])
_account_first = msgspec.json.Decoder(wire.SubaccountContents)
_account = msgspec.json.Decoder(wire.AccountContents)
_markets = msgspec.json.Decoder(wire.MarketsContents)
_book_first = msgspec.json.Decoder(wire.BookSnapshotContents)
_book = msgspec.json.Decoder(wire.BookContents)
_trades = msgspec.json.Decoder(wire.TradesContents)
_candles_first = msgspec.json.Decoder(wire.CandlesContents)
_candle = msgspec.json.Decoder(wire.CandleRow)
_height_first = msgspec.json.Decoder(wire.HeightContents)
_height = msgspec.json.Decoder(wire.BlockHeightContents)
_sent = msgspec.json.Decoder(dict[str, object])
_VERSIONS: dict[str, str] = {
    channels.SUBACCOUNTS: "3.0.0",
    channels.PARENT_SUBACCOUNTS: "3.0.0",
    channels.MARKETS: "1.0.0",
    channels.ORDERBOOK: "1.0.0",
    channels.TRADES: "2.1.0",
    channels.CANDLES: "1.0.0",
    channels.BLOCK_HEIGHT: "1.0.0",
}
"""Versions of the contents that are read here (dydxprotocol/v4-chain indexer/packages/kafka/src/constants.ts)."""


def _numbered(message: wire.Envelope) -> int | None:
    """Return a message's number, None where it has none that could be the Indexer's counter."""
    number = message.message_id
    return number if number is not None and 0 <= number <= MOST_MESSAGES else None


def _is_readable(channel: str, version: str | None) -> bool:
    """Return whether contents of a version mean what is read here: another major version may mean anything."""
    return version is None or version.partition(".")[0] == _VERSIONS[channel].partition(".")[0]


class UnexpectedMessageError(ValueError):
    """A message that fits no channel or type known here."""


class IndexerProtocol:
    """Reads and writes the messages of one connection.

    Args:
        connection: which connection of the run this is, counted from 1; it stands in every version.
    """

    def __init__(self, connection: int) -> None:
        self.connection = connection
        self._keys: dict[tuple[str, str | None], ChannelKey] = {}
        self._first: dict[str, Callable[..., Fact]] = {
            channels.SUBACCOUNTS: self._account_snapshot,
            channels.PARENT_SUBACCOUNTS: self._account_snapshot,
            channels.MARKETS: self._markets_message,
            channels.ORDERBOOK: self._book_snapshot,
            channels.TRADES: self._trades_snapshot,
            channels.CANDLES: self._candles_snapshot,
            channels.BLOCK_HEIGHT: self._height_snapshot,
        }
        self._next: dict[str, Callable[..., Fact]] = {
            channels.SUBACCOUNTS: self._account_update,
            channels.PARENT_SUBACCOUNTS: self._account_update,
            channels.MARKETS: self._markets_message,
            channels.ORDERBOOK: self._book_update,
            channels.TRADES: self._trades_update,
            channels.CANDLES: self._candle_update,
            channels.BLOCK_HEIGHT: self._height_update,
        }

    def subscribe(self, key: ChannelKey, *, batched: bool, at: float) -> tuple[str, SubscribeSent]:
        """Return the text that joins a channel and the fact that it was asked for."""
        text = msgspec.json.encode(channels.request("subscribe", key, batched=batched)).decode()
        return text, SubscribeSent(self.connection, key, batched, at)

    def unsubscribe(self, key: ChannelKey) -> str:
        """Return the text that leaves a channel."""
        return msgspec.json.encode(channels.request("unsubscribe", key)).decode()

    def sent(self, text: str, at: float) -> SubscribeSent | None:
        """Return the subscription that a recorded request asked for, or None for any other text."""
        try:
            message = _sent.decode(text)
        except wire.UNREADABLE:
            return None
        channel, identifier = message.get("channel"), message.get("id")
        if message.get("type") != "subscribe" or not isinstance(channel, str):
            return None
        key = channels.key_of(clean(channel), clean(identifier) if isinstance(identifier, str) else None)
        return SubscribeSent(self.connection, key, message.get("batched") is True, at)

    def receive(self, text: str | bytes, at: float) -> Frame:
        """Return one message's facts.

        A message that cannot be read becomes one `MessageRejected`; nothing of it is taken.
        """
        try:
            message = _envelope.decode(text)
        except wire.UNREADABLE as error:
            return Frame(self.connection, None, None, (self._rejected(None, str(error), text, at),), at)
        key = self._key_of(message)
        try:
            facts = self._facts(message, key, at)
        except (*wire.UNREADABLE, NumberError, UnexpectedMessageError) as error:
            facts = (self._rejected(key, str(error), text, at),)
        return Frame(self.connection, None if message.type == "error" else _numbered(message), key, facts, at)

    def _key_of(self, message: wire.Envelope) -> ChannelKey | None:
        if message.channel is None:
            return None
        name = (message.channel, message.id)
        key = self._keys.get(name)
        if key is None:
            key = channels.key_of(clean(message.channel), None if message.id is None else clean(message.id))
            if len(self._keys) < MOST_KEYS:
                self._keys[name] = key
        return key

    def _rejected(self, key: ChannelKey | None, reason: str, text: str | bytes, at: float) -> MessageRejected:
        shown = text if isinstance(text, str) else text[: SAMPLE_LENGTH * 4].decode("utf-8", "replace")
        sample = clean(shown[: SAMPLE_LENGTH * 2], SAMPLE_LENGTH)
        return MessageRejected(f"connection {self.connection}", key, clean(reason, SAMPLE_LENGTH), sample, at)

    def _facts(self, message: wire.Envelope, key: ChannelKey | None, at: float) -> tuple[Fact, ...]:
        if message.type == "channel_data" and key is not None:
            return (self._update(message, key, message.contents, 0, at),)
        if message.type == "channel_batch_data" and key is not None:
            parts = _batch.decode(message.contents)
            return tuple(self._update(message, key, part, place, at) for place, part in enumerate(parts))
        if message.type == "subscribed" and key is not None:
            version = self._version(message, 0)
            decode = self._first.get(key.channel)
            if decode is None:
                raise UnexpectedMessageError(f"unknown channel {key.channel!r}")
            return Subscribed(version, key, at), decode(key, message.contents, version, at)
        return self._control(message, key, at)

    def _control(self, message: wire.Envelope, key: ChannelKey | None, at: float) -> tuple[Fact, ...]:
        if message.type == "connected":
            return (ConnectionReady(self.connection, clean(message.connection_id or ""), at),)
        if message.type == "unsubscribed" and key is not None:
            return (Unsubscribed(self._version(message, 0), key, at),)
        if message.type == "error":
            return (VenueRefusal(self.connection, key, clean(message.message or ""), at, _numbered(message)),)
        if message.type == "pong":
            return ()
        raise UnexpectedMessageError(f"unknown message type {clean(message.type, 40)!r}")

    def _version(self, message: wire.Envelope, place: int) -> StreamVersion:
        number = _numbered(message)
        if number is None:
            raise UnexpectedMessageError("a message without its number")
        return StreamVersion(self.connection, number, place)

    def _update(self, message: wire.Envelope, key: ChannelKey, contents: msgspec.Raw, place: int, at: float) -> Fact:
        decode = self._next.get(key.channel)
        if decode is None:
            raise UnexpectedMessageError(f"unknown channel {key.channel!r}")
        if message.version != _VERSIONS[key.channel] and not _is_readable(key.channel, message.version):
            raise UnexpectedMessageError(f"unknown version {clean(message.version or '', 40)!r} of its contents")
        version = self._version(message, place)
        if key.is_account:
            return decode(key, contents, version, at, message.subaccount_number)
        return decode(key, contents, version, at)

    def _account_snapshot(
        self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float
    ) -> AccountSnapshot:
        account = channels.account_of(key)
        if account is None:
            raise UnexpectedMessageError(f"account id {clean(key.id, 80)!r} is not ADDRESS/NUMBER")
        address, number = account
        is_parent = key.channel == channels.PARENT_SUBACCOUNTS
        body = _account_first.decode(contents)
        children = () if body.subaccount is None else rows.children_of(body.subaccount)
        return AccountSnapshot(
            version=version,
            address=clean(address),
            parent=number if is_parent else None,
            subaccount=None if is_parent else number,
            exists=body.subaccount is not None,
            children=children,
            orders=tuple(rows.order_of(row, None if is_parent else number) for row in body.orders),
            block_height=rows.height_value(body.block_height),
        )

    def _account_update(
        self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float, child: int | None
    ) -> AccountUpdate:
        account = channels.account_of(key)
        number = account[1] if account is not None and key.channel == channels.SUBACCOUNTS else child
        if account is None or number is None or number < 0:
            raise UnexpectedMessageError("an account update without its subaccount number")
        body = _account.decode(contents)
        height = rows.height_value(body.block_height)
        return AccountUpdate(
            version=version,
            address=clean(account[0]),
            subaccount=number,
            positions=tuple(rows.position_of(row, number, height) for row in body.perpetual_positions),
            balances=tuple(rows.balance_of(row, number, height) for row in body.asset_positions),
            orders=tuple(rows.order_of(row, number) for row in body.orders),
            fills=tuple(rows.fill_of(row, number) for row in body.fills),
            transfers=() if body.transfers is None else (rows.transfer_of(body.transfers),),
            reward=None if body.trading_reward is None else rows.reward_of(body.trading_reward),
            block_height=height,
        )

    def _markets_message(self, _key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float) -> Fact:
        body = _markets.decode(contents)
        if body.oracle_prices is not None:
            return OracleUpdate(version, tuple(rows.oracle_of(pair, row) for pair, row in body.oracle_prices.items()))
        if body.markets is not None:
            return MarketsUpdate(version, tuple(rows.market_of(t, row) for t, row in body.markets.items()), True)
        return MarketsUpdate(version, tuple(rows.market_of(t, row) for t, row in (body.trading or {}).items()), False)

    def _book_snapshot(
        self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float
    ) -> BookSnapshot:
        body = _book_first.decode(contents)
        return BookSnapshot(version, key.id, rows.levels_of(body.bids), rows.levels_of(body.asks))

    def _book_update(self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float) -> BookUpdate:
        body = _book.decode(contents)
        return BookUpdate(version, key.id, rows.level_updates_of(body.bids), rows.level_updates_of(body.asks))

    def _trades_snapshot(self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float) -> Fact:
        market = key.id
        trades = tuple(rows.trade_of(market, row) for row in _trades.decode(contents).trades)
        return TradesUpdate(version, market, trades, True)

    def _trades_update(self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float) -> Fact:
        market = key.id
        trades = tuple(rows.trade_of(market, row) for row in _trades.decode(contents).trades)
        return TradesUpdate(version, market, trades, False)

    def _candles_snapshot(self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float) -> Fact:
        market, _, resolution = key.id.partition("/")
        candles = tuple(rows.candle_of(row) for row in _candles_first.decode(contents).candles)
        return CandleUpdate(version, market, resolution, candles, True)

    def _candle_update(self, key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, _at: float) -> Fact:
        market, _, resolution = key.id.partition("/")
        return CandleUpdate(version, market, resolution, (rows.candle_of(_candle.decode(contents)),), False)

    def _height_snapshot(self, _key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, at: float) -> Fact:
        body = _height_first.decode(contents)
        return BlockHeight(version, height_of(str(body.height)), time_of(body.time), at)

    def _height_update(self, _key: ChannelKey, contents: msgspec.Raw, version: StreamVersion, at: float) -> Fact:
        body = _height.decode(contents)
        return BlockHeight(version, height_of(str(body.block_height)), time_of(body.time), at)
