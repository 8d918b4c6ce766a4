"""Endpoints read from text, and the order in which they are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.ports.clock import ManualClock
from dydx_console.venue.node.endpoints import Endpoint, parse_endpoint
from dydx_console.venue.node.failover import DEMOTED_FOR_S, EndpointOrder


@pytest.mark.parametrize(
    ("text", "endpoint", "label"),
    [
        ("node.example.com:443", Endpoint("node.example.com", 443), "node.example.com:443"),
        ("https://node.example.com:9090", Endpoint("node.example.com", 9090), "node.example.com:9090"),
        ("192.0.2.7:443", Endpoint("192.0.2.7", 443), "192.0.2.7:443"),
        ("https://[2001:db8::1]:443", Endpoint("2001:db8::1", 443), "[2001:db8::1]:443"),
        ("http://127.0.0.1:9090", Endpoint("127.0.0.1", 9090, plaintext=True), "127.0.0.1:9090"),
        ("http://127.8.9.1:9090", Endpoint("127.8.9.1", 9090, plaintext=True), "127.8.9.1:9090"),
        ("http://localhost:9090", Endpoint("localhost", 9090, plaintext=True), "localhost:9090"),
        ("http://[::1]:9090", Endpoint("::1", 9090, plaintext=True), "[::1]:9090"),
        ("LOCALHOST:9090", Endpoint("localhost", 9090), "localhost:9090"),
    ],
)
def test_an_endpoint_is_what_its_text_says(text: str, endpoint: Endpoint, label: str) -> None:
    assert parse_endpoint(text) == endpoint
    assert endpoint.label == label


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://node.example.com:443", "without TLS"),
        ("http://192.0.2.7:9090", "without TLS"),
        ("http://localhost.evil.example:9090", "without TLS"),
        ("http://127.0.0.1.evil.example:9090", "without TLS"),
        ("http://0.0.0.0:9090", "without TLS"),
        ("grpc://node.example.com:443", "scheme"),
        ("unix:///tmp/socket:1", "scheme"),
        ("unix:/tmp/socket", "host and port"),
        ("node.example.com:x", "Port could not be cast"),
        ("node.example.com", "host and port"),
        ("https://node.example.com", "host and port"),
        ("node.example.com:0", "host and port"),
        ("node.example.com:0443", "host and port"),
        ("node.example.com:99999", "out of range"),
        ("node.example.com:443/path", "host and port"),
        ("node.example.com:443?x=1", "host and port"),
        ("user@node.example.com:443", "host and port"),
        ("user:secret@node.example.com:443", "host and port"),
        ("node.exam\nple.com:443", "host and port"),
        (":443", "neither a plain name"),
        ("", "host and port"),
        ("nöde.example.com:443", "neither a plain name"),
        ("node_a.example.com:443", "neither a plain name"),
        ("node.example.com.:443", "neither a plain name"),
        ("2130706433:443", "neither a plain name"),
        ("http://127.1:443", "neither a plain name"),
        ("[fe80::1%eth0]:443", "neither a plain name"),
        ("a,b:443", "neither a plain name"),
    ],
)
def test_any_other_text_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_endpoint(text)


@given(st.text(max_size=60))
def test_no_text_makes_plaintext_to_another_machine(text: str) -> None:
    for scheme in ("", "http://"):
        try:
            endpoint = parse_endpoint(scheme + text)
        except ValueError:
            continue
        assert not endpoint.plaintext or endpoint.host in ("localhost", "::1") or endpoint.host.startswith("127.")
        assert parse_endpoint(("http://" if endpoint.plaintext else "") + endpoint.label) == endpoint


def test_a_demoted_endpoint_is_behind_the_others_until_its_time_is_over() -> None:
    clock = ManualClock()
    order = EndpointOrder(("a", "b", "c", "a"), clock)
    assert order.labels == order.now() == ("a", "b", "c")
    order.demote("a")
    assert order.now() == ("b", "c", "a")
    order.demote("b", seconds=DEMOTED_FOR_S + 5)
    assert order.now() == ("c", "a", "b")
    clock.move_to(DEMOTED_FOR_S)
    assert order.now() == ("a", "c", "b")
    order.restore("b")
    assert order.now() == ("a", "b", "c")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 20)), max_size=30))
def test_the_order_is_that_of_preference_with_the_demoted_behind(steps: list[tuple[str, bool, int]]) -> None:
    clock = ManualClock()
    order = EndpointOrder("abcd", clock)
    until = dict.fromkeys("abcd", 0.0)
    for label, good, wait in steps:
        clock.move_to(clock.monotonic() + wait)
        if good:
            order.restore(label)
            until[label] = 0.0
        else:
            order.demote(label)
            until[label] = clock.monotonic() + DEMOTED_FOR_S
        behind = [each for each in "abcd" if until[each] > clock.monotonic()]
        assert order.now() == (*(each for each in "abcd" if each not in behind), *behind)


def test_a_password_in_an_endpoint_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"example\.com:443") as caught:
        parse_endpoint("https://user:secret@node.example.com:443")
    assert "secret" not in str(caught.value)
