"""Redaction: what must never be written down is gone, what a trader needs stays, and a second pass changes nothing."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.redaction import LEAST_HEX, MARK, log_line, redacted, redacted_value
from dydx_console.state.console import Section

WORDS = (
    "zoo", "wrong", "velvet", "legal", "winner", "thank", "year", "wave", "sausage",
    "worth", "useful", "about", "trade", "market", "order", "account", "position", "message",
    "network", "error", "before", "there", "this", "that", "open", "close", "wait",
    "engine", "height", "screen", "ladder", "umbrella", "quick", "rival",
)  # fmt: skip
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
LONG_PHRASE = f"{PHRASE} velvet umbrella rival quick ladder zoo wrong absurd frozen ostrich thrive picnic"
HEX = "4f1e9a7c03b2d85566e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
KEY = base64.b64encode(bytes.fromhex(HEX)).decode()
BASIC = base64.b64encode(b"trader:hunter2").decode()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{KEY}\nMHcCAQ==\n-----END EC PRIVATE KEY-----"

SEPARATORS = (" ", "  ", "\n", ", ", ",", "', '", '","', "\\n", "%20", "+", "\t", " | ", "\n- ", "\u00a0")

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
UUID = "7e2c4f1a-55aa-5cd1-9e0b-0123456789ab"
KEPT = (
    ADDRESS,
    UUID,
    f"GET https://indexer.dydx.trade/v4/addresses/{ADDRESS}/parentSubaccountNumber/0 said 404",
    f"/v4/orders/{UUID}?returnLatestOrders=true&subaccountNumber=128",
    f"fill {UUID} of order {UUID}: BUY 0.25 BTC-USD @ 15,041 (taker)",
    "no answer from oegs.dydx.trade:443 within 2.0 s; asked dydx-dao-grpc-1.polkachu.com:443 next",
    "the engine did not end within 2.0 s",
    "stream LIVE at #48112907 after 3 tries, 0.8 s behind the node",
    "account blocks books candles fills funding markets node orders stream trades transfers",
    'File "/home/trader/Projects/dydx_console/venue/indexer/supervisor.py", line 12, in _receive_until_closed',
    "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
    "BTC-USD, ETH-USD, SOL-USD, AVAX-USD, LINK-USD, DOGE-USD, ATOM-USD, NEAR-USD, APT-USD",
    "Basic information about bearer shares: no token, no password, no secret was asked for",
    "TypeError: unsupported operand type(s) for +: 'NoneType' and 'Decimal'",
    "write to the support team, mail trader@example.com",
    "{'type': 'channel_data', 'connection_id': 'abc', 'message_id': 12, 'version': '2.4.0', 'id': 'BTC-USD'}",
)


@pytest.mark.parametrize("text", KEPT)
def test_what_a_trader_needs_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("phrase", [PHRASE, LONG_PHRASE, PHRASE.upper(), PHRASE.title()])
@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_recovery_phrase_is_gone_however_it_is_written(phrase: str, separator: str) -> None:
    words = phrase.split()
    for text in (separator.join(words), f"it is: [{separator.join(words)}]!", f'{{"m":"{separator.join(words)}"}}'):
        told = redacted(text)
        assert f"[redacted {len(words)} words]" in told
        assert not {word.lower() for word in words} & set(told.lower().replace("[redacted", "").split())


def test_numbered_words_are_a_phrase_too() -> None:
    numbered = "\n".join(f"{number}. {word}" for number, word in enumerate(LONG_PHRASE.split(), 1))
    assert redacted(numbered) == "1. [redacted 24 words]"


def test_every_english_word_can_be_of_a_phrase() -> None:
    package = find_spec("bip_utils")  # comes with the official client, which is not there on every Python
    if package is None or not package.submodule_search_locations:
        pytest.skip("the list of words is not installed")
    path = Path(package.submodule_search_locations[0]) / "bip" / "bip39" / "wordlist" / "english.txt"
    words = path.read_text(encoding="utf-8").split()
    assert len(words) == 2048
    assert [word for word in words if redacted(" ".join([word] * 12)) != "[redacted 12 words]"] == []


@given(st.text(max_size=40), st.lists(st.sampled_from(WORDS), min_size=12, max_size=24), st.sampled_from(SEPARATORS),
       st.text(max_size=40))  # fmt: skip
def test_no_three_words_of_a_phrase_come_through(before: str, words: list[str], separator: str, after: str) -> None:
    told = redacted(before + separator.join(words) + after)
    assert not any(separator.join(words[at : at + 3]) in told for at in range(len(words) - 2))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEX, "4f1e9a7c[redacted 56 hex digits]"),
        (f"0x{HEX.upper()}", "0x4F1E9A7C[redacted 56 hex digits]"),
        (f"tx {HEX}: code 0", "tx 4f1e9a7c[redacted 56 hex digits]: code 0"),
        (HEX[:-5], "4f1e9a7c[redacted 51 hex digits]"),
        (HEX * 2, "4f1e9a7c[redacted 120 hex digits]"),
        (KEY, "[redacted 44 characters]"),
        (f"key={KEY}", "key=[redacted 44 characters]"),
        (f"Authorization: Bearer {JWT}", "Authorization: [redacted]"),
        (f"proxy-authorization: Basic {BASIC}\r\nhost: x", "proxy-authorization: [redacted]\r\nhost: x"),
        (f"(b'authorization', b'Basic {BASIC}')", "(b'authorization', b'[redacted]')"),
        (f"{{'Authorization': 'Bearer {JWT}', 'n': 1}}", "{'Authorization': '[redacted]', 'n': 1}"),
        ("Set-Cookie: session=1; Path=/", "Set-Cookie: [redacted]"),
        (f"sent Basic {BASIC} to x", "sent Basic [redacted] to x"),
        ("Bearer abc123def456 was refused", "Bearer [redacted] was refused"),
        ('{"password": "correct horse"}', '{"password": "[redacted]"}'),
        (r'{\"password\": \"hunter2\"}', r'{\"password\": \"[redacted]\"}'),
        ('password = "it\'s me" user = "x"', 'password = "[redacted]" user = "x"'),
        ('password=""', 'password=""'),
        ("https://x/y?token=abc&market=BTC-USD", "https://x/y?token=[redacted]&market=BTC-USD"),
        ("client_secret=abc, X-Api-Key: k2", "client_secret=[redacted], X-Api-Key: [redacted]"),
        ("mnemonic: a few short words", "mnemonic: [redacted]"),
        ("https://trader:hunter2@proxy.example/x", "https://[redacted]@proxy.example/x"),
        ("wss://indexer.dydx.trade@evil.example/v4/ws", "wss://[redacted]@evil.example/v4/ws"),
        ("proxy trader:hunter2@10.0.0.1:3128", "proxy [redacted]@10.0.0.1:3128"),
        (PEM, "-----BEGIN EC PRIVATE KEY-----[redacted]-----END EC PRIVATE KEY-----"),
        (PEM[:60], "-----BEGIN EC PRIVATE KEY-----[redacted]"),
    ],
)  # fmt: skip
def test_other_secrets_are_gone(text: str, told: str) -> None:
    assert redacted(text) == told


@given(st.binary(min_size=32, max_size=64), st.sampled_from(["hex", "HEX", "0x"]))
def test_of_a_key_in_hex_eight_digits_stay(key: bytes, form: str) -> None:
    written = key.hex().upper() if form == "HEX" else key.hex()
    told = redacted(f"key {'0x' if form == '0x' else ''}{written}.")
    assert written[:9] not in told
    assert written[:8] in told


PIECES = (
    PHRASE, HEX, KEY, JWT, PEM, ADDRESS, UUID, *SEPARATORS, *WORDS[:12], MARK, "[redacted 12 words]",
    "Authorization: ", "password=", "token", ":", "=", "'", '"', "\\", "://", "@", "a:b", "/", "Bearer ", "b'",
    "-----BEGIN PRIVATE KEY-----", "-----END", "[", "]", "0x", HEX[:20], "passphrase", "\r\n", "1. ", "the ",
)  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=14).map("".join)


@given(texts)
def test_a_second_pass_changes_nothing_and_no_text_grows_without_bound(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once
    assert len(once) <= 3 * len(text) + 20


@given(texts, st.integers(min_value=1, max_value=300))
def test_a_clipped_text_is_not_longer_than_its_limit(text: str, limit: int) -> None:
    assert len(redacted(text, limit)) <= limit


@pytest.mark.parametrize("shift", range(0, 90, 7))
@pytest.mark.parametrize("secret", [LONG_PHRASE, HEX, KEY])
def test_a_secret_across_the_cut_does_not_come_through(shift: int, secret: str) -> None:
    text = "." * (4_000 - shift) + secret + "." * 100
    told = redacted(text, 1_000)
    assert len(told) == 1_000
    assert secret[:12] not in told
    assert secret[:12] not in redacted(f"{HEX} " * 100 + text[-1_100:], 4_000)


@pytest.mark.parametrize(
    "piece",
    ["a", "a-", "abandon ", " ", "token ", "://", "a:", "\\", "'", "password='", "the word ", "a1B", "bearer ",
     "-----BEGIN PRIVATE KEY-----", "\\n", "0x", "+", "%20"],
)  # fmt: skip
def test_no_text_makes_it_slow(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    told = redacted(text, 16_000)
    assert len(told) <= 16_000


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("connection", 3, 3),
        ("message_id", None, None),
        ("ratio", 0.5, 0.5),
        ("ratio", float("nan"), "nan"),
        ("flag", True, True),
        ("changed", {Section.ORDERS, Section.FILLS}, ["fills", "orders"]),
        ("changed", sorted(Section), [str(section) for section in sorted(Section)]),
        ("section", Section.ORDERS, "orders"),
        ("words", PHRASE.split(), "[redacted 12 words]"),
        ("words", tuple(PHRASE.split()), "[redacted 12 words]"),
        ("hash", HEX, "4f1e9a7c[redacted 56 hex digits]"),
        ("number", int(HEX, 16), "0x4f1e9a7c[redacted 56 hex digits]"),
        ("private_key", 17, MARK),
        ("api_token", "abc", MARK),
        ("socket", object(), None),
        ("raw", bytes.fromhex(HEX), None),
        ("ids", [UUID, object(), 1], [UUID, None, 1]),
        ("long", "x" * 600, "x" * 499 + "…"),
        ("many", list(range(100)), list(range(40))),
    ],
)
def test_values_of_a_line(name: str, value: object, told: object) -> None:
    assert redacted_value(name, value) == told


def test_a_line_is_one_json_object_in_ascii_and_in_utc() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_900, timezone(timedelta(hours=2)))
    fields = {"connection": 1, "message": "another", "at": "never"}
    line = log_line(at, "WARNING", "room", "a\nb\x1b[2J …", fields=fields, exception="Traceback\nno")
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {
        "at": "2026-01-02T01:04:05.678Z",
        "level": "warning",
        "logger": "room",
        "message": "a\nb\x1b[2J …",
        "connection": 1,
        "exception": "Traceback\nno",
    }


@given(texts, st.dictionaries(st.text(max_size=5), st.integers() | texts, max_size=3))
def test_any_line_can_be_read_again(text: str, fields: dict[str, object]) -> None:
    plain = {name: redacted_value(name, value) for name, value in fields.items()}
    line = log_line(datetime(2026, 1, 1, tzinfo=UTC), "INFO", "x", redacted(text), fields=plain, exception=None)
    assert json.loads(line)["message"] == redacted(text)
    assert line.isascii()


def test_a_run_of_hex_that_is_no_key_stays() -> None:
    short = "ab" * (LEAST_HEX // 2 - 1)
    assert redacted(short) == short
