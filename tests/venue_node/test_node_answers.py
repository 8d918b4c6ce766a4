"""Bytes become values or a sentence: the chain's integers, times, kinds of accounts, and what is missing."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st
from v4_proto.cosmos.auth.v1beta1 import auth_pb2
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth_query
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as chain_query
from v4_proto.cosmos.vesting.v1beta1 import vesting_pb2
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus_query
from v4_proto.dydxprotocol.clob import block_rate_limit_config_pb2 as rate_limits
from v4_proto.dydxprotocol.clob import query_pb2 as clob_query
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers_query
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals_query
from v4_proto.dydxprotocol.prices import query_pb2 as prices_query
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts_query
from venue_node.fake_node import ADDRESS, CHAIN_ID, account_answer, block_time, encoded_int, fill_block

from dydx_console.domain.chain import BlockRateLimit, EquityTier, OraclePrice
from dydx_console.domain.nodeaccount import Perpetual
from dydx_console.domain.text import clean
from dydx_console.venue.node import answers
from dydx_console.venue.node.answers import UnreadableAnswerError, UnusableAccountError

NODE = "node.example.com:443"


@given(st.integers(-(2**300), 2**300))
def test_an_integer_comes_back_from_the_chains_encoding(value: int) -> None:
    assert answers.signed_int(encoded_int(value)) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x02", 0),
        (b"\x03", 0),
        (b"\x02\x01", 1),
        (b"\x03\x01", -1),
        (b"\x02\x00\x00\xff", 255),
        (b"\x02\x0c\x69\x1b\x7a", 208_214_906),
        (b"\x03\x4c\x4b\x40", -5_000_000),
    ],
)
def test_the_integers_of_the_chain(data: bytes, value: int) -> None:
    assert answers.signed_int(data) == value


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01\x05", b"\x04\x05", b"\x22", b"\x02" + b"\x01" * 65])
def test_an_integer_in_another_encoding_is_no_zero(data: bytes) -> None:
    with pytest.raises(UnreadableAnswerError, match="amount"):
        answers.signed_int(data)


def a_block(sdk_form: bool = False) -> Any:
    answer = chain_query.GetLatestBlockResponse()
    fill_block(answer.sdk_block if sdk_form else answer.block, CHAIN_ID, 7)
    return answer


@pytest.mark.parametrize("sdk_form", [False, True])
def test_a_block_has_its_time_to_the_microsecond(sdk_form: bool) -> None:
    head = answers.block_of(a_block(sdk_form).SerializeToString(), NODE)
    assert (head.height, head.time, head.source, head.chain_id) == (7, block_time(7), NODE, CHAIN_ID)
    assert head.time.microsecond == 123_456


@given(st.integers(0, 2**33), st.integers(0, 999_999_999))
def test_a_block_time_is_cut_and_never_rounded(seconds: int, nanos: int) -> None:
    answer = a_block()
    answer.block.header.time.seconds = seconds
    answer.block.header.time.nanos = nanos
    time = answers.block_of(answer.SerializeToString(), NODE).time
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    assert (since.days * 86_400 + since.seconds, since.microseconds) == (seconds, nanos // 1000)


def set_header(**fields: Any) -> Callable[[Any], None]:
    def change(answer: Any) -> None:
        for name, value in fields.items():
            setattr(answer.block.header, name, value)

    return change


def set_time(name: str, value: int) -> Callable[[Any], None]:
    return lambda answer: setattr(answer.block.header.time, name, value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: answer.ClearField("block"),
        lambda answer: answer.block.ClearField("header"),
        lambda answer: answer.block.header.ClearField("time"),
        set_header(height=0),
        set_header(height=-1),
        set_header(chain_id=""),
        # cleaned of the zero-width space, this would equal the real one
        set_header(chain_id=CHAIN_ID + "\u200b"),
        set_header(chain_id="dydx-\x1b[31mmainnet-1"),
        set_header(chain_id="x" * 61),
        set_time("nanos", -1),
        set_time("nanos", 1_000_000_000),
        set_time("seconds", 10**12),
        set_time("seconds", -(10**12)),
    ],
)
def test_a_block_without_its_facts_is_refused(spoil: Callable[[Any], None]) -> None:
    answer = a_block()
    spoil(answer)
    with pytest.raises(UnreadableAnswerError):
        answers.block_of(answer.SerializeToString(), NODE)


def test_another_block_than_asked_for_is_refused() -> None:
    data = a_block().SerializeToString()
    assert answers.block_at(7)(data, NODE).height == 7
    with pytest.raises(UnreadableAnswerError, match="asked for block 8, told of block 7"):
        answers.block_at(8)(data, NODE)


def test_a_node_says_its_chain_and_perhaps_its_version() -> None:
    answer = chain_query.GetNodeInfoResponse()
    answer.default_node_info.network = CHAIN_ID
    told = answers.info_of(answer.SerializeToString(), NODE)
    assert (told.endpoint, told.chain_id, told.version) == (NODE, CHAIN_ID, "")
    answer.application_version.version = "9.6.1\x1b]0;x\x07\u202e"
    assert answers.info_of(answer.SerializeToString(), NODE).version == "9.6.1]0;x"


@pytest.mark.parametrize("chain_id", ["", " \n", CHAIN_ID + "\u200b", "\u202e" + CHAIN_ID])
def test_a_node_without_a_plain_chain_id_is_refused(chain_id: str) -> None:
    answer = chain_query.GetNodeInfoResponse()
    answer.default_node_info.network = chain_id
    with pytest.raises(UnreadableAnswerError, match="chain id"):
        answers.info_of(answer.SerializeToString(), NODE)
    with pytest.raises(UnreadableAnswerError, match="lacks default_node_info"):
        answers.info_of(b"", NODE)


def test_an_account_tells_number_and_sequence() -> None:
    data = account_answer(auth_pb2.BaseAccount(address=ADDRESS, account_number=0, sequence=2**63)).SerializeToString()
    account = answers.account_of(ADDRESS)(data, NODE)
    assert (account.address, account.number, account.sequence) == (ADDRESS, 0, 2**63)
    with pytest.raises(UnreadableAnswerError, match="told about"):
        answers.account_of("dydx1other")(data, NODE)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (auth_pb2.ModuleAccount(name="fee_collector"), "module of the chain"),
        (vesting_pb2.ContinuousVestingAccount(), "vesting account"),
        (vesting_pb2.DelayedVestingAccount(), "vesting account"),
        (vesting_pb2.PeriodicVestingAccount(), "vesting account"),
        (vesting_pb2.PermanentLockedAccount(), "vesting account"),
        (auth_pb2.Params(), "not supported: cosmos.auth.v1beta1.Params"),
    ],
)
def test_an_account_that_cannot_trade_is_named(account: Any, words: str) -> None:
    with pytest.raises(UnusableAccountError, match=words):
        answers.account_of(ADDRESS)(account_answer(account).SerializeToString(), NODE)


def test_an_account_in_a_hostile_packing_is_refused() -> None:
    packed = AnyMessage(type_url="/cosmos.auth.v1beta1.BaseAccount", value=b"\xff\xff")
    with pytest.raises(UnreadableAnswerError, match="no message of the expected kind"):
        answers.account_of(ADDRESS)(auth_query.QueryAccountResponse(account=packed).SerializeToString(), NODE)


def a_subaccount() -> Any:
    answer = subaccounts_query.QuerySubaccountResponse()
    answer.subaccount.id.owner = ADDRESS
    answer.subaccount.id.number = 128
    answer.subaccount.asset_positions.add(asset_id=0, quantums=encoded_int(-5))
    answer.subaccount.perpetual_positions.add(
        perpetual_id=3, quantums=encoded_int(-9), funding_index=encoded_int(2**70), quote_balance=encoded_int(4)
    )
    return answer


def test_a_subaccount_has_signed_amounts() -> None:
    subaccount = answers.subaccount_of(ADDRESS, 128)(a_subaccount().SerializeToString(), NODE)
    (asset,), (position,) = subaccount.assets, subaccount.positions
    assert (subaccount.address, subaccount.number, asset.asset_id, asset.quantums) == (ADDRESS, 128, 0, -5)
    assert (position.perpetual_id, position.quantums, position.funding_index) == (3, -9, 2**70)
    assert position.quote_balance == 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: answer.ClearField("subaccount"),
        lambda answer: answer.subaccount.ClearField("id"),
        lambda answer: setattr(answer.subaccount.id, "owner", "dydx1other"),
        lambda answer: setattr(answer.subaccount.id, "number", 0),
        lambda answer: answer.subaccount.asset_positions[0].ClearField("quantums"),
        lambda answer: answer.subaccount.perpetual_positions[0].ClearField("quantums"),
        lambda answer: answer.subaccount.perpetual_positions[0].ClearField("funding_index"),
        lambda answer: answer.subaccount.perpetual_positions[0].ClearField("quote_balance"),
    ],
)
def test_a_subaccount_with_a_hole_is_refused(spoil: Callable[[Any], None]) -> None:
    answer = a_subaccount()
    spoil(answer)
    with pytest.raises(UnreadableAnswerError):
        answers.subaccount_of(ADDRESS, 128)(answer.SerializeToString(), NODE)


def test_a_market_without_a_price_is_left_out() -> None:
    answer = prices_query.QueryAllMarketPricesResponse()
    answer.market_prices.add(id=0, exponent=-5, price=6_012_345_678)
    answer.market_prices.add(id=1, exponent=-5, price=0)
    answer.market_prices.add(id=2, exponent=3, price=2**64 - 1)
    answer.pagination.next_key = b"\x00\x03"
    prices, key = answers.oracle_page_of(answer.SerializeToString())
    assert prices == (OraclePrice(0, 6_012_345_678, -5), OraclePrice(2, 2**64 - 1, 3))
    assert prices[0].value == Decimal("60123.45678")
    assert key == b"\x00\x03"
    answer.market_prices[0].exponent = -65
    with pytest.raises(UnreadableAnswerError, match="out of range"):
        answers.oracle_page_of(answer.SerializeToString())


def a_perpetual(**given: Any) -> Any:
    answer = perpetuals_query.QueryAllPerpetualsResponse()
    row = answer.perpetual.add(funding_index=encoded_int(-12))
    fields: dict[str, Any] = {"id": 7, "ticker": "BTC-USD", "market_id": 3, "atomic_resolution": -10, **given}
    for name, value in fields.items():
        setattr(row.params, name, value)
    return answer


def test_perpetuals_are_read_with_all_that_positions_are_reckoned_with() -> None:
    answer = a_perpetual()
    answer.pagination.next_key = b"8"
    told = answers.perpetual_page_of(answer.SerializeToString())
    assert told == ((Perpetual(7, "BTC-USD", 3, -10, -12),), b"8")


@pytest.mark.parametrize(
    ("given_fields", "word"),
    [
        ({"atomic_resolution": -65}, "out of range"),
        ({"ticker": ""}, "ticker"),
        ({"ticker": "BTC\u200b-USD"}, "ticker"),
    ],
)
def test_a_perpetual_that_nothing_can_be_reckoned_with_is_refused(given_fields: dict[str, Any], word: str) -> None:
    with pytest.raises(UnreadableAnswerError, match=word):
        answers.perpetual_page_of(a_perpetual(**given_fields).SerializeToString())


def test_a_perpetual_without_parameters_or_funding_index_is_refused() -> None:
    bare, unfunded = perpetuals_query.QueryAllPerpetualsResponse(), a_perpetual()
    bare.perpetual.add(funding_index=encoded_int(0))
    unfunded.perpetual[0].funding_index = b""
    for answer, word in ((bare, "params"), (unfunded, "amount is missing")):
        with pytest.raises(UnreadableAnswerError, match=word):
            answers.perpetual_page_of(answer.SerializeToString())


def test_rate_limits_are_read_with_the_field_that_older_code_does_not_name() -> None:
    answer = clob_query.QueryBlockRateLimitConfigurationResponse()
    answer.block_rate_limit_config.max_short_term_orders_and_cancels_per_n_blocks.add(num_blocks=5, limit=4000)
    row = rate_limits.MaxPerNBlocksRateLimit(num_blocks=1, limit=30).SerializeToString()
    # field 5, length-delimited, as a newer chain writes it
    config = answer.block_rate_limit_config.SerializeToString() + bytes([5 << 3 | 2, len(row)]) + row
    limits = answers.block_rate_limits_of(bytes([1 << 3 | 2, len(config)]) + config, NODE)
    assert limits.short_term_orders_and_cancels == (BlockRateLimit(5, 4000),)
    assert limits.stateful_orders == ()
    assert limits.leverage_updates == (BlockRateLimit(1, 30),)


def test_an_empty_configuration_is_no_limit_and_a_missing_one_is_none_at_all() -> None:
    answer = clob_query.QueryBlockRateLimitConfigurationResponse()
    answer.block_rate_limit_config.SetInParent()
    limits = answers.block_rate_limits_of(answer.SerializeToString(), NODE)
    assert (limits.short_term_orders_and_cancels, limits.stateful_orders, limits.leverage_updates) == ((), (), ())
    tiers = clob_query.QueryEquityTierLimitConfigurationResponse()
    tiers.equity_tier_limit_config.SetInParent()
    assert answers.equity_tier_limits_of(tiers.SerializeToString(), NODE).stateful_orders == ()
    answer.block_rate_limit_config.max_stateful_orders_per_n_blocks.add(num_blocks=0, limit=2)
    with pytest.raises(UnreadableAnswerError, match="over no blocks"):
        answers.block_rate_limits_of(answer.SerializeToString(), NODE)


@pytest.mark.parametrize(
    ("read", "field"),
    [
        (answers.block_rate_limits_of, "block_rate_limit_config"),
        (answers.equity_tier_limits_of, "equity_tier_limit_config"),
        (answers.fee_tier_of, "tier"),
        (answers.account_of(ADDRESS), "account"),
        (answers.subaccount_of(ADDRESS, 0), "subaccount"),
        (answers.info_of, "default_node_info"),
    ],
)
def test_an_empty_answer_lacks_its_field(read: Callable[[bytes, str], Any], field: str) -> None:
    with pytest.raises(UnreadableAnswerError, match=f"lacks {field}"):
        read(b"", NODE)
    with pytest.raises(UnreadableAnswerError, match="no message of the expected kind"):
        read(b"\xff", NODE)


def test_equity_tiers_are_in_usd() -> None:
    answer = clob_query.QueryEquityTierLimitConfigurationResponse()
    config = answer.equity_tier_limit_config
    config.short_term_order_equity_tiers.add(usd_tnc_required=encoded_int(0), limit=1)
    config.stateful_order_equity_tiers.add(usd_tnc_required=encoded_int(20_500_001), limit=4)
    limits = answers.equity_tier_limits_of(answer.SerializeToString(), NODE)
    assert limits.short_term_orders == (EquityTier(Decimal(0), 1),)
    assert limits.stateful_orders == (EquityTier(Decimal("20.500001"), 4),)


def test_a_rebate_is_negative() -> None:
    answer = feetiers_query.QueryUserFeeTierResponse(index=8)
    answer.tier.name = "9\x1b[2J"
    answer.tier.maker_fee_ppm = -110
    answer.tier.taker_fee_ppm = 250
    tier = answers.fee_tier_of(answer.SerializeToString(), NODE)
    assert (tier.index, tier.name, tier.maker_fee_ppm, tier.taker_fee_ppm) == (8, "9[2J", -110, 250)


def test_an_authenticator_keeps_its_configuration_as_it_is_and_hides_behind_no_look_alike() -> None:
    answer = accountplus_query.GetAuthenticatorsResponse()
    assert answers.authenticators_of(answer.SerializeToString(), NODE) == ()
    row = answer.account_authenticators.add(id=0, type="AnyOf", config=b"\x00\x1b[2J")
    (read,) = answers.authenticators_of(answer.SerializeToString(), NODE)
    assert (read.id, read.type, read.config) == (0, "AnyOf", b"\x00\x1b[2J")
    row.type = "Message\u200bFilter"
    with pytest.raises(UnreadableAnswerError, match="authenticator"):
        answers.authenticators_of(answer.SerializeToString(), NODE)


READERS: list[Callable[[bytes], Any]] = [
    lambda data: answers.info_of(data, NODE),
    lambda data: answers.syncing_of(data, NODE),
    lambda data: answers.block_of(data, NODE),
    lambda data: answers.account_of(ADDRESS)(data, NODE),
    lambda data: answers.subaccount_of(ADDRESS, 0)(data, NODE),
    answers.oracle_page_of,
    answers.perpetual_page_of,
    lambda data: answers.block_rate_limits_of(data, NODE),
    lambda data: answers.equity_tier_limits_of(data, NODE),
    lambda data: answers.fee_tier_of(data, NODE),
    lambda data: answers.authenticators_of(data, NODE),
]


def bit_flipped(data: bytes, bit: int) -> bytes:
    spoilt = bytearray(data)
    spoilt[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(spoilt)


@given(st.sampled_from(READERS), st.one_of(st.binary(max_size=80), st.integers(0, 4000)))
def test_no_bytes_do_worse_than_to_be_refused(read: Callable[[bytes], Any], given_data: bytes | int) -> None:
    seed = a_subaccount().SerializeToString()
    data = given_data if isinstance(given_data, bytes) else bit_flipped(seed, given_data)
    try:
        told = repr(read(data))
    except UnreadableAnswerError as error:
        told = str(error)
    assert clean(told, 10_000) == told
