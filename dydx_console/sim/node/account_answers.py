"""Accounts, wallets, subaccounts and permissions as of the last block.

Sources: cosmos/cosmos-sdk x/auth/keeper/grpc_query.go, x/bank/keeper/grpc_query.go; dydxprotocol/v4-chain
protocol/x/{subaccounts/keeper/grpc_query_subaccount.go,accountplus/keeper/query.go}.
"""

from __future__ import annotations

from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.auth.v1beta1.query_pb2 import QueryAccountRequest, QueryAccountResponse
from v4_proto.cosmos.bank.v1beta1.query_pb2 import (
    QueryAllBalancesRequest,
    QueryAllBalancesResponse,
    QueryBalanceRequest,
    QueryBalanceResponse,
)
from v4_proto.cosmos.base.query.v1beta1.pagination_pb2 import PageResponse
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from v4_proto.dydxprotocol.accountplus.models_pb2 import AccountAuthenticator
from v4_proto.dydxprotocol.accountplus.query_pb2 import GetAuthenticatorsRequest, GetAuthenticatorsResponse
from v4_proto.dydxprotocol.subaccounts.asset_position_pb2 import AssetPosition
from v4_proto.dydxprotocol.subaccounts.perpetual_position_pb2 import PerpetualPosition
from v4_proto.dydxprotocol.subaccounts.query_pb2 import (
    QueryAllSubaccountRequest,
    QueryGetSubaccountRequest,
    QuerySubaccountAllResponse,
    QuerySubaccountResponse,
)
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import Subaccount
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as SubaccountIdMessage

from dydx_console.sim.core.addresses import is_address
from dydx_console.sim.core.committed import CommittedSubaccount
from dydx_console.sim.core.orders import SubaccountId
from dydx_console.sim.node.encoding import serializable_int
from dydx_console.sim.node.refusals import Code, QueryRefusedError
from dydx_console.sim.venue import Venue

USDC_ASSET_ID = 0
USDC_DENOM = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
BAD_ADDRESS = "decoding bech32 failed: invalid checksum"


def account(venue: Venue, request: QueryAccountRequest) -> QueryAccountResponse:
    """Number and sequence as of the last block, and the public key once it has signed for something in one."""
    if not request.address:
        raise QueryRefusedError(Code.INVALID_ARGUMENT, "Address cannot be empty")
    _check_address(request.address, Code.UNKNOWN)
    number = venue.exchange.committed.account_number(request.address)
    if number is None:
        raise QueryRefusedError(Code.NOT_FOUND, f"account {request.address} not found")
    signers = venue.exchange.signers
    held = BaseAccount(address=request.address, account_number=number, sequence=signers.sequence(request.address))
    key = signers.public_key(request.address)
    if key:
        held.pub_key.Pack(PubKey(key=key), type_url_prefix="/")
    answer = QueryAccountResponse()
    answer.account.Pack(held, type_url_prefix="/")
    return answer


def balance(venue: Venue, request: QueryBalanceRequest) -> QueryBalanceResponse:
    """What a wallet holds of one denomination."""
    _check_address(request.address, Code.INVALID_ARGUMENT)
    held = venue.exchange.wallet_usdc(request.address) if request.denom == USDC_DENOM else 0
    return QueryBalanceResponse(balance=Coin(denom=request.denom, amount=str(held)))


def all_balances(venue: Venue, request: QueryAllBalancesRequest) -> QueryAllBalancesResponse:
    """What a wallet holds: USDC or nothing, nobody here has native tokens."""
    _check_address(request.address, Code.INVALID_ARGUMENT)
    held = venue.exchange.wallet_usdc(request.address)
    coins = [Coin(denom=USDC_DENOM, amount=str(held))] if held else []
    return QueryAllBalancesResponse(balances=coins, pagination=PageResponse(total=len(coins)))


def subaccount(venue: Venue, request: QueryGetSubaccountRequest) -> QuerySubaccountResponse:
    """A subaccount; one that was never funded is empty, whatever its name."""
    which = SubaccountId(request.owner, request.number)
    held = venue.exchange.committed.subaccounts.get(which, CommittedSubaccount())
    return QuerySubaccountResponse(subaccount=_subaccount(which, held))


def subaccount_all(venue: Venue, _request: QueryAllSubaccountRequest) -> QuerySubaccountAllResponse:
    """Every subaccount, on one page whatever page was asked for."""
    found = [_subaccount(which, held) for which, held in venue.exchange.committed.subaccounts.items()]
    return QuerySubaccountAllResponse(subaccount=found, pagination=PageResponse(total=len(found)))


def authenticators(venue: Venue, request: GetAuthenticatorsRequest) -> GetAuthenticatorsResponse:
    """The permissions that an account has given."""
    _check_address(request.account, Code.INTERNAL)
    held = venue.exchange.state.authenticators.of(request.account)
    found = [AccountAuthenticator(id=one.id, type=one.kind, config=one.config) for one in held]
    return GetAuthenticatorsResponse(account_authenticators=found)


def _check_address(text: str, code: Code) -> None:
    if not is_address(text):
        raise QueryRefusedError(code, BAD_ADDRESS)


def _subaccount(which: SubaccountId, held: CommittedSubaccount) -> Subaccount:
    usdc = AssetPosition(asset_id=USDC_ASSET_ID, quantums=serializable_int(held.usdc_quantums))
    return Subaccount(
        id=SubaccountIdMessage(owner=which.owner, number=which.number),
        asset_positions=[usdc] if held.usdc_quantums else [],
        perpetual_positions=[
            PerpetualPosition(
                perpetual_id=perpetual_id,
                quantums=serializable_int(position.quantums),
                funding_index=serializable_int(position.funding_index),
                quote_balance=serializable_int(0),
            )
            for perpetual_id, position in sorted(held.positions.items())
        ],
    )
