"""Messages of transactions as the chain's types have them, into the exchange's own, after their stateless checks.

Sources: dydxprotocol/v4-chain protocol/x/{clob,sending,accountplus}/types/message_*.go,
protocol/x/subaccounts/types/errors.go; cosmos/cosmos-sdk x/bank/types/msgs.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from v4_proto.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from v4_proto.dydxprotocol.accountplus.tx_pb2 import MsgAddAuthenticator, MsgRemoveAuthenticator
from v4_proto.dydxprotocol.clob.order_pb2 import Order as OrderMessage
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgBatchCancel, MsgCancelOrder, MsgPlaceOrder
from v4_proto.dydxprotocol.sending.transfer_pb2 import MsgDepositToSubaccount, MsgWithdrawFromSubaccount
from v4_proto.dydxprotocol.sending.tx_pb2 import MsgCreateTransfer

from dydx_console.sim.core.addresses import is_address
from dydx_console.sim.core.authenticators import MAX_CONFIG_BYTES
from dydx_console.sim.core.checktx import KINDS, MAX_SUBACCOUNT_NUMBER, stateless
from dydx_console.sim.core.orders import (
    BatchCancel,
    Cancel,
    ConditionType,
    Order,
    OrderId,
    Place,
    Side,
    SubaccountId,
    TimeInForce,
    Transfer,
    Twap,
    TxAnswer,
    clob_error,
)
from dydx_console.sim.core.transactions import AddAuthenticator, Message, RemoveAuthenticator, sdk_error
from dydx_console.sim.node.account_answers import USDC_ASSET_ID, USDC_DENOM


class TxRefusedError(Exception):
    """A transaction that a node refuses with (codespace, code)."""

    def __init__(self, answer: TxAnswer) -> None:
        super().__init__(answer.log)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message, who must sign for it, and its type."""

    message: Message
    signer: str
    type_url: str


def decode(packed: AnyMessage) -> Decoded:
    """Unpack one message of a transaction; TxRefusedError when it is unknown, or wrong by itself."""
    if packed.type_url not in READERS:
        raise TxRefusedError(sdk_error(2, f"unable to resolve type URL {packed.type_url}: tx parse error"))
    kind, read = READERS[packed.type_url]
    message = kind()
    try:
        message.ParseFromString(packed.value)
    except DecodeError as error:
        raise TxRefusedError(sdk_error(2, f"{error}: tx parse error")) from None
    decoded, signer = read(message)
    return Decoded(decoded, signer, packed.type_url)


def _place(message: Any) -> tuple[Message, str]:
    wire = message.order
    if wire.time_in_force == OrderMessage.TIME_IN_FORCE_FILL_OR_KILL:
        raise TxRefusedError(clob_error(48, "Fill-or-kill has been deprecated: This field has been deprecated"))
    order_id = read_order_id(wire.order_id)
    for value, known, code, log in (
        (wire.side, OrderMessage.Side.values(), 3, "invalid order side"),
        (wire.time_in_force, OrderMessage.TimeInForce.values(), 44, "invalid time in force"),
        (wire.condition_type, OrderMessage.ConditionType.values(), 6000, "invalid condition type"),
        (wire.side, (Side.BUY, Side.SELL), 3, "UNSPECIFIED is not a valid order side"),
    ):
        if value not in known:
            raise TxRefusedError(clob_error(code, f"{log} ({value})"))
    builder = wire.builder_code_parameters if wire.HasField("builder_code_parameters") else None
    order = Order(
        id=order_id,
        side=Side(wire.side),
        quantums=wire.quantums,
        subticks=wire.subticks,
        good_til_block=wire.good_til_block or None,
        good_til_block_time_s=wire.good_til_block_time or None,
        time_in_force=TimeInForce(wire.time_in_force),
        reduce_only=wire.reduce_only,
        client_metadata=wire.client_metadata,
        condition=ConditionType(wire.condition_type),
        trigger_subticks=wire.conditional_order_trigger_subticks,
        builder_address=None if builder is None else builder.builder_address,
        builder_fee_ppm=None if builder is None else builder.fee_ppm,
        twap=_twap(wire),
    )
    answer = stateless(order)
    if answer.ok and order.builder_address is not None and not is_address(order.builder_address):
        answer = clob_error(50, "builder code address must be a valid bech32 address: Invalid builder code")
    if not answer.ok:
        raise TxRefusedError(answer)
    return Place(order), order_id.subaccount.owner


def _twap(wire: Any) -> Twap | None:
    """How to cut the order up; only messages from version 9 on can say so."""
    if "twap_parameters" not in wire.DESCRIPTOR.fields_by_name or not wire.HasField("twap_parameters"):
        return None
    asked = wire.twap_parameters
    return Twap(asked.duration, asked.interval, asked.price_tolerance)


def _cancel(message: Any) -> tuple[Message, str]:
    order_id = read_order_id(message.order_id)
    if order_id.flags not in KINDS:
        raise TxRefusedError(clob_error(3000, "Invalid order flags"))
    if order_id.short_term and not message.good_til_block:
        raise TxRefusedError(clob_error(5, "cancellation goodTilBlock cannot be 0: Invalid order goodTilBlock"))
    if not order_id.short_term and not message.good_til_block_time:
        log = "stateful cancellation goodTilBlockTime cannot be 0: Invalid order goodTilBlockTime"
        raise TxRefusedError(clob_error(3001, log))
    cancel = Cancel(order_id, message.good_til_block or None, message.good_til_block_time or None)
    return cancel, order_id.subaccount.owner


def _batch_cancel(message: Any) -> tuple[Message, str]:
    subaccount = _subaccount(message.subaccount_id)
    lists = tuple((batch.clob_pair_id, tuple(batch.client_ids)) for batch in message.short_term_cancels)
    return BatchCancel(subaccount, lists, message.good_til_block), subaccount.owner


def _create_transfer(message: Any) -> tuple[Message, str]:
    transfer = message.transfer
    sender, recipient = _subaccount(transfer.sender), _subaccount(transfer.recipient)
    if sender == recipient:
        raise TxRefusedError(TxAnswer(1, "sending", "Sender is the same as recipient"))
    return _moved(sender, recipient, transfer.asset_id, transfer.amount), sender.owner


def _deposit(message: Any) -> tuple[Message, str]:
    _account(message.sender)
    recipient = _subaccount(message.recipient)
    return _moved(message.sender, recipient, message.asset_id, message.quantums), message.sender


def _withdraw(message: Any) -> tuple[Message, str]:
    sender = _subaccount(message.sender)
    _account(message.recipient)
    return _moved(sender, message.recipient, message.asset_id, message.quantums), sender.owner


def _send(message: Any) -> tuple[Message, str]:
    for address in (message.from_address, message.to_address):
        if not is_address(address):
            raise TxRefusedError(sdk_error(7, f"invalid address {address}: invalid address"))
    if len(message.amount) != 1 or not message.amount[0].amount.isdigit():
        raise TxRefusedError(sdk_error(10, "invalid coins"))
    coin = message.amount[0]
    if coin.denom != USDC_DENOM:
        raise TxRefusedError(sdk_error(5, f"spendable balance 0{coin.denom} is smaller: insufficient funds"))
    return Transfer(message.from_address, message.to_address, int(coin.amount)), message.from_address


def _add_authenticator(message: Any) -> tuple[Message, str]:
    if not is_address(message.sender):
        raise TxRefusedError(TxAnswer(2, "accountplus", "Invalid account address"))
    if len(message.data) > MAX_CONFIG_BYTES:
        raise TxRefusedError(TxAnswer(3, "accountplus", "Authenticator data exceeds maximum length"))
    return AddAuthenticator(message.sender, message.authenticator_type, message.data), message.sender


def _remove_authenticator(message: Any) -> tuple[Message, str]:
    if not is_address(message.sender):
        raise TxRefusedError(TxAnswer(2, "accountplus", "Invalid account address"))
    return RemoveAuthenticator(message.sender, message.id), message.sender


def read_order_id(wire: Any) -> OrderId:
    """An order's id; TxRefusedError when its subaccount cannot be."""
    return OrderId(_subaccount(wire.subaccount_id), wire.client_id, wire.order_flags, wire.clob_pair_id)


def _subaccount(wire: Any) -> SubaccountId:
    if wire.number > MAX_SUBACCOUNT_NUMBER:
        log = f"subaccount id number cannot exceed {MAX_SUBACCOUNT_NUMBER}"
        raise TxRefusedError(TxAnswer(200, "subaccounts", log))
    if not is_address(wire.owner):
        raise TxRefusedError(TxAnswer(201, "subaccounts", "subaccount id owner is an invalid address"))
    return SubaccountId(wire.owner, wire.number)


def _account(address: str) -> None:
    if not is_address(address):
        raise TxRefusedError(TxAnswer(6, "sending", "Account address is invalid"))


def _moved(sender: SubaccountId | str, recipient: SubaccountId | str, asset: int, amount: int) -> Transfer:
    if asset != USDC_ASSET_ID:
        raise TxRefusedError(TxAnswer(1101, "sending", "Non-USDC asset transfer not implemented"))
    if amount <= 0:
        raise TxRefusedError(TxAnswer(2, "sending", "Invalid transfer amount"))
    return Transfer(sender, recipient, amount)


READERS: Mapping[str, tuple[Any, Callable[[Any], tuple[Message, str]]]] = {
    "/dydxprotocol.clob.MsgPlaceOrder": (MsgPlaceOrder, _place),
    "/dydxprotocol.clob.MsgCancelOrder": (MsgCancelOrder, _cancel),
    "/dydxprotocol.clob.MsgBatchCancel": (MsgBatchCancel, _batch_cancel),
    "/dydxprotocol.sending.MsgCreateTransfer": (MsgCreateTransfer, _create_transfer),
    "/dydxprotocol.sending.MsgDepositToSubaccount": (MsgDepositToSubaccount, _deposit),
    "/dydxprotocol.sending.MsgWithdrawFromSubaccount": (MsgWithdrawFromSubaccount, _withdraw),
    "/cosmos.bank.v1beta1.MsgSend": (MsgSend, _send),
    "/dydxprotocol.accountplus.MsgAddAuthenticator": (MsgAddAuthenticator, _add_authenticator),
    "/dydxprotocol.accountplus.MsgRemoveAuthenticator": (MsgRemoveAuthenticator, _remove_authenticator),
}
"""What can be sent, by type URL."""
