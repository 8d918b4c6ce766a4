"""Which addresses may be used; a refused one says why."""

import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dydx_console.safety.hosts import belongs_to, host_reasons, is_loopback, known_hosts, normal_host
from dydx_console.safety.urls import (
    MAX_URL,
    check_faucet,
    check_listen,
    check_node,
    check_rest,
    check_websocket,
    mixed_network_reasons,
)

KNOWN = st.sampled_from(sorted(known_hosts()))
LABEL = st.text(string.ascii_lowercase, min_size=3, max_size=8)


@pytest.mark.parametrize(
    ("given_", "used"),
    [
        ("https://indexer.dydx.trade", "https://indexer.dydx.trade"),
        ("https://indexer.dydx.trade/", "https://indexer.dydx.trade"),
        ("https://indexer.dydx.trade/v4", "https://indexer.dydx.trade"),
        ("https://indexer.dydx.trade/v4/", "https://indexer.dydx.trade"),
        ("HTTPS://Indexer.DYDX.Trade.:443", "https://indexer.dydx.trade"),
        ("https://desk.example:8443", "https://desk.example:8443"),
        ("https://10.0.0.4", "https://10.0.0.4"),
        ("https://[2001:DB8:0:0::1]:8443/v4", "https://[2001:db8::1]:8443"),
        ("http://localhost:3002", "http://localhost:3002"),
        ("http://LOCALHOST:3002/", "http://localhost:3002"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://127.8.8.8:80", "http://127.8.8.8"),
        ("http://[::1]:3002", "http://[::1]:3002"),
        ("http://[0:0:0:0:0:0:0:1]:3002", "http://[::1]:3002"),
        ("https://localhost:3002", "https://localhost:3002"),
    ],
)
def test_a_rest_address_is_used_in_one_spelling(given_: str, used: str) -> None:
    checked = check_rest(given_)
    assert (checked.reasons, checked.text) == ((), used)
    assert check_rest(used).text == used


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "0 characters"),
        ("https://" + "a" * MAX_URL, "300 are allowed"),
        ("indexer.dydx.trade", "must begin with https://"),
        ("ftp://indexer.dydx.trade", "must begin with https://"),
        ("wss://indexer.dydx.trade", "must begin with https://"),
        ("https:/indexer.dydx.trade", "must begin with https://"),
        ("http://indexer.dydx.trade", "for this machine only"),
        ("http://10.0.0.4", "for this machine only"),
        ("http://localhost.evil.io", "for this machine only"),
        ("http://[::ffff:127.0.0.1]", "for this machine only"),
        ("http://0.0.0.0", "for this machine only"),
        ("https://0.0.0.0", "not the address of one machine"),
        ("https://[::]", "not the address of one machine"),
        ("https://224.0.0.1", "not the address of one machine"),
        ("https://255.255.255.255", "not the address of one machine"),
        ("https://[::ffff:10.0.0.1]", "IPv4 address as such"),
        ("http://127.1", "usual writing"),
        ("http://2130706433", "usual writing"),
        ("http://0x7f.0.0.1", "no host name"),
        ("http://0x7f000001", "usual writing"),
        ("http://0177.0.0.1", "no host name"),
        ("https://", "it is not https://host"),
        ("https://:443", "it is not https://host"),
        ("https:///v4", "it is not https://host"),
        ("https://desk.example:", "it is not https://host"),
        ("https://desk.example:port", "it is not https://host"),
        ("https://[::1", "it is not https://host"),
        ("https://[::1]desk.example", "it is not https://host"),
        ("https://[desk.example]", "it is not https://host"),
        ("https://desk.example:0", "its port is 0"),
        ("https://desk.example:65536", "its port is 65536"),
        ("https://desk..example", "no host name"),
        ("https://desk.example..", "no host name"),
        ("https://.", "there is no host"),
        ("https://-desk.example", "no host name"),
        ("https://de_sk.example", "no host name"),
        ("https://" + "a" * 64 + ".example", "no host name"),
        ("https://user@indexer.dydx.trade", "user name or password"),
        ("https://indexer.dydx.trade@evil.io", "user name or password"),
        ("https://indexer.dydx.trade\\@evil.io", "user name or password"),
        ("https://indexer.dydx.trade\\.evil.io", "no address here needs"),
        ("https://indexer.dydx.trade%2eevil.io", "no address here needs"),
        ("https://indexer.dydx.trade/v4?network=testnet", "query or a fragment"),
        ("https://indexer.dydx.trade?", "query or a fragment"),
        ("https://indexer.dydx.trade#", "query or a fragment"),
        ("https://indexer.dydx.trade/v4/height", "path '/v4/height'"),
        ("https://indexer.dydx.trade/V4", "path '/V4'"),
        ("https://indexer.dydx.trade//", "path '//'"),
        (" https://indexer.dydx.trade", "white space"),
        ("https://indexer.dydx.trade\n", "white space or control"),
        ("https://indexer.\tdydx.trade", "white space or control"),
        ("https://indexer.dydx.trade\x00", "white space or control"),
        ("https://indеxer.dydx.trade", "beyond ASCII"),
        ("https://indexer。dydx。trade", "beyond ASCII"),
        ("https://xn--ndexer-4va.dydx.trade", "punycode"),
        ("https://indexer.XN--dydx-9za.trade", "punycode"),
    ],
)
def test_a_rest_address_that_cannot_be_used_says_why(url: str, word: str) -> None:
    checked = check_rest(url)
    assert checked.text == ""
    assert any(word in reason for reason in checked.reasons), checked.reasons


def test_every_fault_of_an_address_is_told_at_once() -> None:
    assert len(check_rest("http://desk.example:0/x?y").reasons) == 4


def test_an_address_with_a_zone_is_refused() -> None:
    assert "without a zone" in host_reasons("fe80::1%eth0")[0]


@given(secret=st.text(string.ascii_letters + string.digits, min_size=6), before=st.sampled_from(["u:", "", ":"]))
def test_no_reason_repeats_a_password(secret: str, before: str) -> None:
    for check in (check_rest, check_websocket, check_faucet):
        for reason in check(f"https://{before}{secret}@desk.example").reasons:
            assert secret not in reason.replace("user name or password", "")


@pytest.mark.parametrize(
    "host",
    [
        "indexer.dydx.trade.evil.io",
        "indexer.dydx.trade.evil.io.",
        "x.indexer.dydx.trade.evil.io",
        "dydx.trade.evil.io",
        "indexer-dydx.trade",
        "indexer-dydx-trade.evil.io",
        "dydx-trade.io",
        "dydxtrade.io",
        "app.dydxtrade.com",
        "dydx-exchange.io",
        "polkachu.com.evil.io",
        "1ndexer.dydx.trade",
        "lndexer.dydx.trade",
        "indexer.dydx.trad3",
        "indexer.dydx.tradc",
        "indexer.dyclx.trade",
        "indexer.dyxd.trade",
        "indexre.dydx.trade",
        "indexer.dydxx.trade",
        "indexer.dyd.trade",
        "node.dydx.tradе".replace("е", "a"),
        "indexer.v4testnet.dydx.exchang",
        "indexer.v4tesnet.dydx.exchange",
        "oegs.dydx.trad",
        "dydx-dao-grpc-1.p0lkachu.com",
        "test-dydx-grpc.kingnode.com",
        "node.dyxd.trade",
    ],
)
def test_a_host_that_imitates_a_known_one_is_refused(host: str) -> None:
    assert any("looks like" in reason for reason in host_reasons(normal_host(host))), host
    assert check_node(f"{host}:443").text == ""


@pytest.mark.parametrize(
    "host",
    [
        "desk.example",
        "indexer.desk.example",
        "dydx-indexer.desk.example",
        "dydx-trader.desk.example",
        "dydx.desk.example",
        "dydx-dao-grpc-4.polkachu.com",
        "indexer.v5testnet.dydx.exchange",
        "full-node.dydx.trade",
        "dydx.trade",
        "node.dydyy.trade",
        "localhost",
        "10.1.2.3",
    ],
)
def test_a_host_of_another_name_may_be_used(host: str) -> None:
    assert host_reasons(host) == ()


@given(known=KNOWN, tail=st.lists(LABEL, min_size=1, max_size=3))
def test_a_known_host_in_front_of_another_is_refused(known: str, tail: list[str]) -> None:
    host = ".".join([known, *tail])
    assert host_reasons(host)


@given(known=KNOWN, data=st.data())
def test_one_letter_more_less_or_other_is_refused(known: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(known) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    edit = data.draw(st.sampled_from(["other", "more", "less", "swap"]))
    host = {
        "other": known[:place] + letter + known[place + 1 :],
        "more": known[:place] + letter + known[place:],
        "less": known[:place] + known[place + 1 :],
        "swap": known[:place] + known[place : place + 2][::-1] + known[place + 2 :],
    }[edit]
    removed = set(known[place : place + 2]) if edit == "swap" else {known[place]}
    assume(host not in known_hosts())
    assume(not (edit in ("less", "swap") and removed & set(string.digits)))
    assert host_reasons(host)


@given(known=KNOWN, capitals=st.lists(st.booleans(), min_size=40, max_size=40), dot=st.booleans())
def test_a_known_host_in_any_capitals_is_itself(known: str, capitals: list[bool], dot: bool) -> None:
    written = "".join(c.upper() if up else c for c, up in zip(known, capitals, strict=False)) + ("." if dot else "")
    checked = check_rest(f"https://{written}")
    assert (checked.reasons, checked.host) == ((), known)


@given(st.text(max_size=60))
@example("http://[::1]evil.io")
@example("https://a@b")
def test_whatever_is_accepted_is_encrypted_or_stays_here_and_comes_back_the_same(text: str) -> None:
    for url in (text, f"https://{text}", f"http://{text}", f"https://{text}/v4"):
        checked = check_rest(url)
        assert bool(checked.text) is not bool(checked.reasons)
        if checked.text:
            assert checked.text.startswith("https://") or is_loopback(checked.host)
            assert check_rest(checked.text) == checked


@pytest.mark.parametrize(
    ("url", "used", "word"),
    [
        ("wss://indexer.dydx.trade/v4/ws", "wss://indexer.dydx.trade/v4/ws", None),
        ("WSS://indexer.dydx.trade:443/v4/ws", "wss://indexer.dydx.trade/v4/ws", None),
        ("ws://127.0.0.1:3003/v4/ws", "ws://127.0.0.1:3003/v4/ws", None),
        ("ws://indexer.dydx.trade/v4/ws", "", "for this machine only"),
        ("https://indexer.dydx.trade/v4/ws", "", "must begin with wss://"),
        ("wss://indexer.dydx.trade", "", "it ends in /v4/ws"),
        ("wss://indexer.dydx.trade/v4/ws/", "", "it ends in /v4/ws"),
        ("wss://indexer.dydx.trade/v3/ws", "", "it ends in /v4/ws"),
        ("wss://indexer.dydx.trade/v4/ws?x", "", "query"),
        ("wss://indexer.dydx.trade.evil.io/v4/ws", "", "looks like"),
    ],
)
def test_a_websocket_address_has_its_path(url: str, used: str, word: str | None) -> None:
    checked = check_websocket(url)
    assert checked.text == used
    assert word is None or any(word in reason for reason in checked.reasons)


@pytest.mark.parametrize(
    ("text", "used", "plaintext", "word"),
    [
        ("oegs.dydx.trade:443", "oegs.dydx.trade:443", False, None),
        ("https://OEGS.dydx.trade:443/", "oegs.dydx.trade:443", False, None),
        ("desk.example:9090", "desk.example:9090", False, None),
        ("[2001:db8::1]:9090", "[2001:db8::1]:9090", False, None),
        ("localhost:9090", "localhost:9090", False, None),
        ("http://127.0.0.1:9090", "http://127.0.0.1:9090", True, None),
        ("http://[::1]:80", "http://[::1]:80", True, None),
        ("http://desk.example:9090", "", False, "for this machine only"),
        ("desk.example", "", False, "port is missing"),
        ("https://desk.example", "", False, "port is missing"),
        ("desk.example:0", "", False, "its port is 0"),
        ("desk.example:443/x", "", False, "it is host:port"),
        ("grpc://desk.example:443", "", False, "must begin with"),
        ("user@desk.example:443", "", False, "user name"),
        ("", "", False, "it is not"),
    ],
)
def test_a_node_is_host_and_port(text: str, used: str, plaintext: bool, word: str | None) -> None:
    checked = check_node(text)
    assert checked.text == used
    assert not used or checked.plaintext is plaintext
    assert word is None or any(word in reason for reason in checked.reasons)


@pytest.mark.parametrize("url", ["https://faucet.v4testnet.dydx.exchange", "http://localhost:8087/"])
def test_a_faucet_is_scheme_and_host(url: str) -> None:
    assert check_faucet(url).text == url.rstrip("/")
    assert check_faucet(url.rstrip("/") + "/faucet").text == ""


@pytest.mark.parametrize(
    "text", ["127.0.0.1:8788", "localhost:8788", "[::1]:8788", "127.0.0.1:0", "unix:/run/dydx.sock"]
)
def test_a_server_of_ours_listens_on_this_machine(text: str) -> None:
    assert check_listen(text) == ()


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0:8788", "[::]:8788", "10.0.0.4:8788", "desk.example:8788", "127.0.0.1", "8788", ":8788", "",
     "127.0.0.1:65536", "127.0.0.1:x", "http://127.0.0.1:8788", "127.0.0.1:8788/", "unix:", "unix:relative.sock",
     "unix:/" + "a" * 100, "unix:/a\x00b", "user@127.0.0.1:1", "127.0.0.1:8788\n"],
)  # fmt: skip
def test_a_server_of_ours_listens_nowhere_else(text: str) -> None:
    assert len(check_listen(text)) == 1


@pytest.mark.parametrize(
    ("host", "home"),
    [
        ("indexer.dydx.trade", "mainnet"),
        ("dydx-grpc.publicnode.com", "mainnet"),
        ("indexer.v4testnet.dydx.exchange", "testnet"),
        ("dydx-testnet-grpc.polkachu.com", "testnet"),
        ("localhost", None),
        ("desk.example", None),
    ],
)
def test_a_known_host_belongs_to_its_network(host: str, home: str | None) -> None:
    assert belongs_to(host) == home


MAIN, TEST, DESK = "indexer.dydx.trade", "indexer.v4testnet.dydx.exchange", "desk.example"


@pytest.mark.parametrize(
    ("chain_id", "rest", "websocket", "node", "wrong"),
    [
        ("dydx-mainnet-1", MAIN, MAIN, "oegs.dydx.trade", []),
        ("dydx-testnet-4", TEST, TEST, "oegs-testnet.dydx.exchange", []),
        ("dydx-mainnet-1", DESK, MAIN, DESK, []),
        ("desk-1", DESK, DESK, "127.0.0.1", []),
        ("dydx-testnet-4", MAIN, TEST, DESK, ["rest"]),
        ("dydx-testnet-4", TEST, MAIN, DESK, ["websocket"]),
        ("dydx-testnet-4", TEST, TEST, "oegs.dydx.trade", ["node"]),
        ("dydx-mainnet-1", MAIN, MAIN, "dydx-testnet-grpc.polkachu.com", ["node"]),
        ("dydx-mainnet-1", TEST, TEST, DESK, ["rest", "websocket"]),
        ("desk-1", MAIN, TEST, DESK, ["rest", "websocket"]),
        ("dydx-sim-1", DESK, DESK, "oegs.dydx.trade", ["node"]),
    ],
)
def test_hosts_of_two_networks_never_pass_together(
    chain_id: str, rest: str, websocket: str, node: str, wrong: list[str]
) -> None:
    reasons = mixed_network_reasons(chain_id, {"rest": rest, "websocket": websocket, "node": node})
    assert list(reasons) == wrong
    for reason in reasons.values():
        assert chain_id in reason
        assert "mainnet" in reason or "testnet" in reason
