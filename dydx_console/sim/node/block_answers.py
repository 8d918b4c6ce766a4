"""What a node says of itself and of its blocks: cosmos.base.tendermint.v1beta1.Service.

Texts of refusals: cosmos/cosmos-sdk client/grpc/cmtservice/service.go, cometbft/cometbft rpc/core/env.go.
"""

from __future__ import annotations

from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2 import (
    GetBlockByHeightRequest,
    GetBlockByHeightResponse,
    GetLatestBlockRequest,
    GetLatestBlockResponse,
    GetNodeInfoRequest,
    GetNodeInfoResponse,
    GetSyncingRequest,
    GetSyncingResponse,
    VersionInfo,
)
from v4_proto.cosmos.base.tendermint.v1beta1.types_pb2 import Block as SdkBlock
from v4_proto.cosmos.base.tendermint.v1beta1.types_pb2 import Header as SdkHeader
from v4_proto.tendermint.p2p.types_pb2 import DefaultNodeInfo, DefaultNodeInfoOther, ProtocolVersion
from v4_proto.tendermint.types.block_pb2 import Block
from v4_proto.tendermint.types.types_pb2 import BlockID, Commit, Header, PartSetHeader
from v4_proto.tendermint.version.types_pb2 import Consensus

from dydx_console.sim.core.addresses import VALIDATOR_PREFIX, encode
from dydx_console.sim.node.encoding import digest, header_time
from dydx_console.sim.node.refusals import Code, QueryRefusedError
from dydx_console.sim.venue import Venue

VALIDATORS = 4
BLOCK_PROTOCOL, P2P_PROTOCOL = 11, 8
COMETBFT_VERSION, SDK_VERSION, GO_VERSION = "0.38.15", "v0.50.11", "go version go1.23.1 linux/amd64"


def node_info(venue: Venue, _request: GetNodeInfoRequest) -> GetNodeInfoResponse:
    """Chain id and versions."""
    return GetNodeInfoResponse(
        default_node_info=DefaultNodeInfo(
            protocol_version=ProtocolVersion(p2p=P2P_PROTOCOL, block=BLOCK_PROTOCOL),
            default_node_id=digest("node").hex()[:40],
            listen_addr="tcp://127.0.0.1:26656",
            network=venue.options.chain_id,
            version=COMETBFT_VERSION,
            channels=bytes.fromhex("40202122233038606100"),
            moniker="dydx-console-sim",
            other=DefaultNodeInfoOther(tx_index="on", rpc_address="tcp://127.0.0.1:26657"),
        ),
        application_version=VersionInfo(
            name="dydxprotocol",
            app_name="dydxprotocold",
            version=venue.faults.node_version,
            git_commit=digest("commit").hex()[:40],
            build_tags="netgo,ledger",
            go_version=GO_VERSION,
            cosmos_sdk_version=SDK_VERSION,
        ),
    )


def syncing(venue: Venue, _request: GetSyncingRequest) -> GetSyncingResponse:
    """Whether the node says that it is catching up."""
    return GetSyncingResponse(syncing=venue.faults.node_catching_up)


def latest_block(venue: Venue, _request: GetLatestBlockRequest) -> GetLatestBlockResponse:
    """The last block."""
    block_id, block, sdk_block = _block(venue, venue.exchange.height)
    return GetLatestBlockResponse(block_id=block_id, block=block, sdk_block=sdk_block)


def block_by_height(venue: Venue, request: GetBlockByHeightRequest) -> GetBlockByHeightResponse:
    """A block that is still kept."""
    height, lowest = request.height, venue.exchange.lowest_height
    if height > venue.exchange.height:
        raise QueryRefusedError(Code.INVALID_ARGUMENT, "requested block height is bigger then the chain length")
    if height <= 0:
        raise QueryRefusedError(Code.UNKNOWN, f"height must be greater than 0, but got {height}")
    if height < lowest:
        raise QueryRefusedError(Code.UNKNOWN, f"height {height} is not available, lowest height is {lowest}")
    block_id, block, sdk_block = _block(venue, height)
    return GetBlockByHeightResponse(block_id=block_id, block=block, sdk_block=sdk_block)


def _block(venue: Venue, height: int) -> tuple[BlockID, Block, SdkBlock]:
    """A block without its transactions: the simulator keeps none."""
    proposer = digest(f"validator {height % VALIDATORS}")[:20]
    time = header_time(height, venue.exchange.block_times_ms[height])
    last = _block_id(venue, height - 1)
    fields = {
        "version": Consensus(block=BLOCK_PROTOCOL),
        "chain_id": venue.options.chain_id,
        "height": height,
        "time": time,
        "last_block_id": last,
        "last_commit_hash": digest(f"commit {height - 1}"),
        "data_hash": digest(f"data {height}"),
        "validators_hash": digest("validators"),
        "next_validators_hash": digest("validators"),
        "consensus_hash": digest("consensus"),
        "app_hash": digest(f"app {venue.options.chain_id} {height}"),
        "last_results_hash": digest(f"results {height - 1}"),
        "evidence_hash": digest("no evidence"),
    }
    commit = Commit(height=height - 1, block_id=last)
    block = Block(header=Header(**fields, proposer_address=proposer), last_commit=commit)
    shown = encode(VALIDATOR_PREFIX, proposer)
    sdk_block = SdkBlock(header=SdkHeader(**fields, proposer_address=shown), last_commit=commit)
    return _block_id(venue, height), block, sdk_block


def _block_id(venue: Venue, height: int) -> BlockID:
    name = f"{venue.options.chain_id} {height}"
    return BlockID(hash=digest(f"block {name}"), part_set_header=PartSetHeader(total=1, hash=digest(f"parts {name}")))
