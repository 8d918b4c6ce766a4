"""Transactions: cosmos.tx.v1beta1.Service/{BroadcastTx,Simulate,GetTx}.

Texts of refusals: cosmos/cosmos-sdk x/auth/tx/service.go, client/{broadcast,grpc_query}.go.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.any_pb2 import Any as AnyMessage
from v4_proto.cosmos.base.abci.v1beta1.abci_pb2 import GasInfo, TxResponse
from v4_proto.cosmos.base.abci.v1beta1.abci_pb2 import Result as AbciResult
from v4_proto.cosmos.tx.v1beta1.service_pb2 import (
    BROADCAST_MODE_ASYNC,
    BROADCAST_MODE_SYNC,
    BroadcastMode,
    BroadcastTxRequest,
    BroadcastTxResponse,
    GetTxRequest,
    GetTxResponse,
    SimulateRequest,
    SimulateResponse,
)
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import Tx

from dydx_console.sim.core.delivery import trial
from dydx_console.sim.core.orders import OK, TxAnswer
from dydx_console.sim.core.transactions import Result
from dydx_console.sim.node.ante import admit, receive, tx_hash
from dydx_console.sim.node.messages import TxRefusedError
from dydx_console.sim.node.refusals import Code, QueryRefusedError
from dydx_console.sim.venue import Venue

DONE = "[]"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def broadcast(venue: Venue, request: BroadcastTxRequest) -> BroadcastTxResponse:
    """What the node answers to a transaction: a refusal is no error of the call, but a code in the answer."""
    raw = bytes(request.tx_bytes)
    if not raw:
        raise QueryRefusedError(Code.INVALID_ARGUMENT, "invalid empty tx")
    if request.mode not in (BROADCAST_MODE_SYNC, BROADCAST_MODE_ASYNC):
        named = BroadcastMode.Name(request.mode) if request.mode in BroadcastMode.values() else str(request.mode)
        raise QueryRefusedError(Code.UNKNOWN, f"unsupported return type {named}; supported types: sync, async")
    answer = _taken(venue, raw)
    if request.mode == BROADCAST_MODE_ASYNC:
        answer = TxResponse(txhash=tx_hash(raw))
    return BroadcastTxResponse(tx_response=answer)


def simulate(venue: Venue, request: SimulateRequest) -> SimulateResponse:
    """What a transaction would cost; the ones with orders cost nothing, and short-term ones cannot be simulated."""
    raw = bytes(request.tx_bytes or request.tx.SerializeToString())
    if not raw:
        raise QueryRefusedError(Code.INVALID_ARGUMENT, "empty txBytes is not allowed")
    try:
        tx = receive(raw)
        bundle = admit(venue, tx, simulated=True)
    except TxRefusedError as refused:
        raise _simulation_failed(refused.answer, 0) from None
    if tx.short_term:
        raise _simulation_failed(TxAnswer(111222, "undefined", "recovered: order is not a stateful order: panic"), 0)
    answer = trial(venue.exchange.state, bundle)
    if not answer.ok:
        raise _simulation_failed(answer, tx.gas_used)
    gas = GasInfo(gas_wanted=tx.auth.fee.gas_limit, gas_used=tx.gas_used)
    return SimulateResponse(gas_info=gas, result=AbciResult(log=DONE))


def get_tx(venue: Venue, request: GetTxRequest) -> GetTxResponse:
    """A transaction that a block has; short-term ones are in none under their own hash."""
    if not request.hash:
        raise QueryRefusedError(Code.INVALID_ARGUMENT, "tx hash cannot be empty")
    result = venue.exchange.ledger.result(request.hash.upper())
    if result is None:
        raise QueryRefusedError(Code.NOT_FOUND, f"tx not found: {request.hash}")
    tx = Tx.FromString(result.signed.raw)
    return GetTxResponse(tx=tx, tx_response=_result(result))


def _taken(venue: Venue, raw: bytes) -> TxResponse:
    name = tx_hash(raw)
    if not venue.exchange.ledger.first_sight(name):
        return TxResponse(txhash=name, code=19, codespace="sdk", raw_log="")
    try:
        answer = _admitted(venue, raw)
    except TxRefusedError as refused:
        answer = refused.answer
    return TxResponse(
        txhash=name, code=answer.code, codespace=answer.codespace, raw_log=DONE if answer.ok else answer.log
    )


def _admitted(venue: Venue, raw: bytes) -> TxAnswer:
    if venue.faults.transactions_refused is not None:
        codespace, code = venue.faults.transactions_refused
        return TxAnswer(code, codespace, "refused, as asked for")
    bundle = admit(venue, receive(raw))
    return OK if venue.faults.transactions_lost else venue.take(bundle)


def _simulation_failed(answer: TxAnswer, gas_used: int) -> QueryRefusedError:
    return QueryRefusedError(Code.UNKNOWN, f"{answer.log} with gas used: '{gas_used}'")


def _result(result: Result) -> TxResponse:
    packed = AnyMessage(type_url="/cosmos.tx.v1beta1.Tx", value=result.signed.raw)
    moment = EPOCH + timedelta(seconds=result.time_ms // 1_000)
    return TxResponse(
        height=result.height,
        txhash=result.signed.hash,
        code=result.answer.code,
        codespace=result.answer.codespace,
        raw_log="" if result.answer.ok else result.answer.log,
        gas_wanted=result.signed.gas_wanted,
        gas_used=result.signed.gas_used,
        tx=packed,
        timestamp=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
