"""Edges of the rules: the last value that is allowed and the first that is not, and what only one place decides."""

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.chain import BlockHead
from dydx_console.safety.grants import BindingState, bind, comparable_height
from dydx_console.safety.hosts import NEAR, _distance, belongs_to, host_reasons, look_alike_reasons
from dydx_console.safety.networks import Network, NetworkKeys, custom_network
from dydx_console.safety.urls import CheckedUrl, check_listen, check_rest, check_websocket
from dydx_console.safety.validator import MAX_CHAIN_ID, MAX_NODES, NetworkValidator

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def block(height: int, seconds: float, chain_id: str | None = "dydx-testnet-4") -> BlockHead:
    return BlockHead(height, AT + timedelta(seconds=seconds), "node:1", chain_id)


def network(chain_id: str = "dydx-testnet-4", **keys: object) -> Network:
    given_keys = {
        "indexer_rest": "https://indexer.example.org",
        "indexer_websocket": "wss://indexer.example.org/v4/ws",
        **keys,
    }
    return custom_network("desk", NetworkKeys(chain_id=chain_id, **given_keys))  # type: ignore[arg-type]


def keys_of(found: Network) -> set[str]:
    return {finding.key for finding in NetworkValidator().network_findings(found)}


def test_the_first_block_of_a_chain_can_be_compared() -> None:
    assert comparable_height([1, 5], 3) == 1
    assert comparable_height([0, 5], 3) is None


def test_blocks_of_other_heights_say_nothing_about_this_one() -> None:
    told = [block(5, 0.0), block(6, 1.0), block(4, -1.0)]
    assert bind(told, block(5, 0.0)).state is BindingState.BOUND
    assert bind(told, block(6, 0.0)).state is BindingState.MISMATCH
    assert bind(told, block(7, 1.0)).state is BindingState.UNKNOWN


@pytest.mark.parametrize(
    ("url", "port", "text"),
    [
        ("http://localhost", 80, "http://localhost"),
        ("http://localhost:80/v4", 80, "http://localhost"),
        ("https://e.example", 443, "https://e.example"),
        ("http://localhost:1", 1, "http://localhost:1"),
        ("http://localhost:65535", 65_535, "http://localhost:65535"),
    ],
)
def test_a_port_is_from_1_to_65535_and_the_usual_one_is_not_written(url: str, port: int, text: str) -> None:
    checked = check_rest(url)
    assert (checked.port, checked.text, checked.reasons) == (port, text, ())


@pytest.mark.parametrize(
    ("url", "port", "text"),
    [
        ("ws://localhost/v4/ws", 80, "ws://localhost/v4/ws"),
        ("ws://localhost:80/v4/ws", 80, "ws://localhost/v4/ws"),
        ("wss://e.example/v4/ws", 443, "wss://e.example/v4/ws"),
        ("wss://e.example:443/v4/ws", 443, "wss://e.example/v4/ws"),
    ],
)
def test_the_usual_ports_of_a_stream_are_those_of_the_web(url: str, port: int, text: str) -> None:
    checked = check_websocket(url)
    assert (checked.port, checked.text, checked.reasons) == (port, text, ())


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_other_ports_are_none(port: str) -> None:
    assert "its port is" in "; ".join(check_rest(f"http://localhost:{port}").reasons)
    assert check_listen(f"localhost:{port}") == () if port == "0" else check_listen(f"localhost:{port}") != ()


def test_what_could_not_be_taken_apart_has_neither_host_nor_port() -> None:
    assert check_rest("") == CheckedUrl("", "", 0, False, check_rest("").reasons)
    assert check_websocket("wss://").port == 0


def test_the_last_port_and_the_longest_path_may_be_listened_at() -> None:
    assert check_listen("127.0.0.1:65535") == ()
    assert check_listen("127.0.0.1:65536") != ()
    assert check_listen("unix:/" + "s" * 99) == ()
    assert check_listen("unix:/" + "s" * 100) != ()


def test_an_address_of_300_characters_is_not_too_long() -> None:
    whole = "https://" + "x" * 292
    assert "characters" not in "; ".join(check_rest(whole).reasons)
    assert check_rest(whole + "x").reasons == ("it has 301 characters; 1 to 300 are allowed",)


def test_a_host_of_253_characters_is_not_too_long() -> None:
    host = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(host) == 253
    assert host_reasons(host) == ()
    assert host_reasons(f"{host}e") != ()


@pytest.mark.parametrize(
    ("host", "is_imitation"),
    [
        ("indexerxy.dydx.trade", True),
        ("indexerxyz.dydx.trade", False),
        ("indexer.dyddx.ttrade", True),
        ("other.dyddx.trade", True),
        ("other.dyddx.ttrade", False),
        ("1nd3x3r.dydx.trade", True),
        ("lnclexer.dyclx.tracle", True),
        ("indexer.dydx.trade", False),
    ],
)
def test_how_near_a_name_may_come(host: str, is_imitation: bool) -> None:
    assert bool(look_alike_reasons(host)) == is_imitation


def test_a_faucets_host_belongs_to_its_network() -> None:
    assert belongs_to("faucet.v4testnet.dydx.exchange") == "testnet"


def apart(one: str, other: str) -> int:
    """Return the number of changed, added, lost or swapped letters, found by trying all of them."""

    @cache
    def least(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        ways = [least(i - 1, j) + 1, least(i, j - 1) + 1, least(i - 1, j - 1) + (one[i - 1] != other[j - 1])]
        if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
            ways.append(least(i - 2, j - 2) + 1)
        return min(ways)

    return least(len(one), len(other))


WORDS = st.text("abc", max_size=6)


@given(WORDS, WORDS)
def test_the_distance_of_names_is_that_of_trying_everything(one: str, other: str) -> None:
    if abs(len(one) - len(other)) <= NEAR:
        assert _distance(one, other) == apart(one, other)
    else:
        assert _distance(one, other) > NEAR


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "", 0), ("", "ab", 2), ("ab", "ba", 1), ("abc", "cab", 2), ("abcd", "badc", 2), ("ab", "abab", 2)],
)
def test_the_distance_of_some_names(one: str, other: str, distance: int) -> None:
    assert _distance(one, other) == _distance(other, one) == distance


def test_the_longest_chain_id_and_the_most_nodes_are_allowed() -> None:
    nodes = tuple(f"node{number}.example.org:443" for number in range(MAX_NODES + 1))
    assert "chain_id" not in {
        finding.key
        for finding in NetworkValidator().network_findings(network("x" * MAX_CHAIN_ID))
        if "characters" in finding.text or "letters" in finding.text
    }
    assert any(
        "letters" in found.text for found in NetworkValidator().network_findings(network("x" * (MAX_CHAIN_ID + 1)))
    )
    assert "nodes" not in keys_of(network(nodes=nodes[:MAX_NODES]))
    assert "nodes" in keys_of(network(nodes=nodes))


def test_a_warning_about_plaintext_stands_under_the_first_such_address() -> None:
    found = NetworkValidator().network_findings(network(nodes=("http://127.0.0.1:9090",)))
    plain = [finding for finding in found if "not encrypted" in finding.text]
    assert [(finding.key, finding.text.rsplit(": ", 1)[1]) for finding in plain] == [("nodes[0]", "nodes[0]")]
