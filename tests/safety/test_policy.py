"""The table of environments and networks, every row of it."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.safety.networks import Network, NetworkKeys, custom_network, network_named
from dydx_console.safety.policy import (
    CONFIRMATION_TIMEOUT_S,
    Decision,
    Entry,
    Environment,
    Outcome,
    Purpose,
    Request,
    confirmed_by,
    confirms,
    decide,
    default_network,
    not_confirmed,
)

TABLE = """
# environment  network     terminal  purpose  flags          outcome             exit
  outside      none        *         READ     *              RUNS                0
  outside      none        *         SEND     may-send       RUNS                0
  outside      none        *         SEND     read-only      REFUSED             77
  outside      test        *         READ     *              RUNS                0
  outside      test        *         SEND     may-send       RUNS                0
  outside      test        *         SEND     read-only      REFUSED             77
  outside      main        tty       READ     *              NEEDS_CONFIRMATION  77
  outside      main        tty       SEND     may-send       NEEDS_CONFIRMATION  77
  outside      main        tty       SEND     read-only      REFUSED             77
  outside      main        no-tty    READ     exact          RUNS                0
  outside      main        no-tty    READ     not-exact      REFUSED             77
  outside      main        no-tty    SEND     *              REFUSED             77
  production   none        *         READ     *              RUNS                0
  production   none        *         SEND     may-send       RUNS                0
  production   none        *         SEND     read-only      REFUSED             77
  production   main        *         READ     *              RUNS                0
  production   main        *         SEND     may-send       RUNS                0
  production   main        *         SEND     read-only      REFUSED             77
  production   test        *         *        *              REFUSED             78
"""
"""`main` is mainnet and every chain id that is not known, `test` is testnet, a local chain and the simulator."""

CHAIN_IDS = {
    "none": (None,),
    "main": ("dydx-mainnet-1", "desk-1", "DYDX-TESTNET-4", "dydx-sim-10"),
    "test": ("dydx-testnet-4", "localdydxprotocol", "dydx-sim-1", "dydx-sim-1-k3f9aa"),
}
FLAGS = {
    "none": (False, None),
    "--read-only": (True, None),
    "--confirm-network": (False, "{chain_id}"),
    "--read-only --confirm-network": (True, "{chain_id}"),
    "--read-only --confirm-network, another chain": (True, "dydx-other-1"),
    "--read-only --confirm-network, the name": (True, "mainnet"),
    "--read-only --confirm-network, capitals": (True, "{CHAIN_ID}"),
    "--read-only --confirm-network, a blank": (True, "{chain_id} "),
    "--read-only --confirm-network, empty": (True, ""),
}
READ_ONLY = {name for name, (read_only, _) in FLAGS.items() if read_only}
WORDS = {
    "*": lambda _: True,
    "may-send": lambda flags: flags not in READ_ONLY,
    "read-only": lambda flags: flags in READ_ONLY,
    "exact": lambda flags: flags == "--read-only --confirm-network",
    "not-exact": lambda flags: flags != "--read-only --confirm-network",
}
ROWS = [line.split() for line in TABLE.splitlines() if line.strip() and not line.startswith("#")]
CASES = [
    (environment, column, chain_id, has_terminal, entry, purpose, flags)
    for environment, column, has_terminal, entry, purpose, flags in product(
        Environment, CHAIN_IDS, (True, False), Entry, Purpose, FLAGS
    )
    for chain_id in CHAIN_IDS[column]
]


def network_on(chain_id: str) -> Network:
    return custom_network(
        "desk",
        NetworkKeys(chain_id=chain_id, indexer_rest="https://e.example", indexer_websocket="wss://e.example/v4/ws"),
    )


def expected(
    environment: Environment, column: str, has_terminal: bool, purpose: Purpose, flags: str
) -> tuple[str, str]:
    """Return outcome and exit code of the one row of the table that a case is in."""
    facts = (
        "production" if environment is Environment.PRODUCTION else "outside",
        column,
        "tty" if has_terminal else "no-tty",
        purpose.value,
    )
    rows = [
        row
        for row in ROWS
        if all(word in ("*", fact) for word, fact in zip(row, facts, strict=False)) and WORDS[row[4]](flags)
    ]
    assert len(rows) == 1, rows
    return rows[0][5], rows[0][6]


def asked(
    chain_id: str | None,
    environment: Environment = Environment.DEVELOPMENT,
    has_terminal: bool = True,
    entry: Entry = Entry.SCREEN,
    purpose: Purpose = Purpose.SEND,
    flags: str = "none",
) -> Request:
    network = None if chain_id is None else network_on(chain_id)
    read_only, confirm = FLAGS[flags]
    named = chain_id or "dydx-mainnet-1"
    text = None if confirm is None else confirm.format(chain_id=named, CHAIN_ID=named.swapcase())
    return Request(environment, network, entry, has_terminal, purpose, read_only, text)


def test_every_row_of_the_table() -> None:
    assert len(CASES) == 3 * 9 * 2 * 3 * 2 * 9
    for environment, column, chain_id, has_terminal, entry, purpose, flags in CASES:
        decision = decide(asked(chain_id, environment, has_terminal, entry, purpose, flags))
        outcome, exit_code = expected(environment, column, has_terminal, purpose, flags)
        case = (environment, chain_id, has_terminal, entry, purpose, flags, decision.reasons)
        assert (decision.outcome, str(int(decision.exit_code))) == (outcome, exit_code), case
        assert decision.reasons, case
        assert decision.read_only is (flags in READ_ONLY), case
        assert decision.runs is (outcome == "RUNS"), case
        assert decision.may_send is (outcome == "RUNS" and purpose is Purpose.SEND), case


@pytest.mark.parametrize(
    ("environment", "name"),
    [(Environment.DEVELOPMENT, "testnet"), (Environment.STAGING, "testnet"), (Environment.PRODUCTION, "mainnet")],
)
def test_an_environment_chooses_its_network_by_itself(environment: Environment, name: str) -> None:
    assert default_network(environment) == name
    assert decide(asked(None, environment)).network == network_named(name)


def test_the_network_chosen_by_itself_is_the_configured_one() -> None:
    mine = custom_network("testnet", NetworkKeys(nodes=("node.desk.example:443",)))
    assert decide(asked(None), (mine,)).network is mine


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (asked("dydx-testnet-4", Environment.PRODUCTION), ("production runs on mainnet", "dydx-testnet-4")),
        (asked("dydx-mainnet-1"), ("mainnet in development", "chain id was typed")),
        (asked("dydx-mainnet-1", has_terminal=False), ("sending", "terminal", "dydx-mainnet-1")),
        (asked("dydx-mainnet-1", has_terminal=False, purpose=Purpose.READ),
         ("--read-only --confirm-network dydx-mainnet-1", "--read-only is missing")),
        (asked("dydx-mainnet-1", has_terminal=False, purpose=Purpose.READ, flags="--read-only"),
         ("--confirm-network is missing",)),
        (asked("dydx-mainnet-1", has_terminal=False, purpose=Purpose.READ,
               flags="--read-only --confirm-network, another chain"), ("--confirm-network says 'dydx-other-1'",)),
        (asked("dydx-testnet-4", flags="--read-only"), ("--read-only", "nothing is sent")),
        (asked("dydx-testnet-4"), ("development + testnet: allowed",)),
    ],
)  # fmt: skip
def test_the_reason_says_what_is_wrong_and_what_is_allowed(request_: Request, words: tuple[str, ...]) -> None:
    (reason,) = decide(request_).reasons
    for word in words:
        assert word in reason


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (asked("dydx-mainnet-1"), ["real money"]),
        (asked("dydx-mainnet-1", Environment.STAGING), ["real money"]),
        (asked("dydx-mainnet-1", Environment.PRODUCTION), []),
        (asked("dydx-testnet-4"), []),
        (asked("desk-1", Environment.PRODUCTION), ["not known"]),
        (asked("desk-1"), ["real money", "not known"]),
        (asked("dydx-testnet-4", flags="--read-only --confirm-network, another chain"), ["dydx-other-1"]),
        (asked("dydx-testnet-4", flags="--confirm-network"), []),
    ],
)
def test_what_is_worth_a_warning_is_warned_of(request_: Request, words: list[str]) -> None:
    warnings = decide(request_).warnings
    assert len(warnings) == len(words)
    for word, warning in zip(words, warnings, strict=True):
        assert word in warning


TYPED = st.one_of(
    st.text(max_size=30),
    st.builds(
        lambda before, word, after: before + word + after,
        st.text(" \t\r\n\u00a0\u200b\x00", max_size=3),
        st.sampled_from(["dydx-mainnet-1", "DYDX-MAINNET-1", "dydx\u2011mainnet-1", "mainnet", "yes", "dydx-mainnet-"]),
        st.text(" \t\r\n\u00a0\u200b\x001", max_size=3),
    ),
)


@given(typed=TYPED)
def test_nothing_but_the_exact_chain_id_confirms(typed: str) -> None:
    network = network_named("mainnet")
    bare = typed
    while bare and bare[0] in " \t\r\n":
        bare = bare[1:]
    while bare and bare[-1] in " \t\r\n":
        bare = bare[:-1]
    assert confirms(typed, network) is (bare == "dydx-mainnet-1")


@pytest.mark.parametrize("typed", ["", " ", "\n"])
def test_nothing_confirms_a_network_without_a_chain_id(typed: str) -> None:
    assert not confirms(typed, replace(network_named("mainnet"), chain_id=""))


@given(
    environment=st.sampled_from([Environment.DEVELOPMENT, Environment.STAGING]),
    chain_id=st.one_of(st.sampled_from(CHAIN_IDS["main"]), st.text("abcdyx-1 4", min_size=1, max_size=20)),
    has_terminal=st.booleans(),
    entry=st.sampled_from(Entry),
    read_only=st.booleans(),
    confirm=st.one_of(st.none(), st.text(max_size=5), st.just("same")),
    typed=TYPED,
)
def test_mainnet_outside_production_never_sends_unless_its_chain_id_was_typed(
    environment: Environment,
    chain_id: str,
    has_terminal: bool,
    entry: Entry,
    read_only: bool,
    confirm: str | None,
    typed: str,
) -> None:
    network = network_on(chain_id)
    confirm = chain_id if confirm == "same" else confirm
    decision = decide(Request(environment, network, entry, has_terminal, Purpose.SEND, read_only, confirm))
    assert not decision.runs
    after = confirmed_by(decision, typed)
    assert after.runs is (has_terminal and not read_only and confirms(typed, network))
    assert not after.runs or after.may_send


def test_typing_the_chain_id_lets_it_run_and_keeps_the_rest() -> None:
    waiting = decide(asked("dydx-mainnet-1", purpose=Purpose.READ, flags="--read-only"))
    runs = confirmed_by(waiting, " dydx-mainnet-1\n")
    assert (runs.outcome, runs.exit_code) == (Outcome.RUNS, 0)
    assert (runs.network, runs.environment, runs.read_only) == (waiting.network, Environment.DEVELOPMENT, True)
    assert runs.warnings == waiting.warnings
    assert not runs.may_send


def test_a_wrong_word_and_no_word_are_refusals() -> None:
    waiting = decide(asked("dydx-mainnet-1"))
    for refused in (confirmed_by(waiting, "mainnet"), not_confirmed(waiting, f"{CONFIRMATION_TIMEOUT_S:g} s passed")):
        assert (refused.outcome, refused.exit_code) == (Outcome.REFUSED, 77)
        assert "was not confirmed" in refused.reasons[0]
    assert CONFIRMATION_TIMEOUT_S == 60


@pytest.mark.parametrize(
    "request_",
    [
        asked("dydx-testnet-4", Environment.PRODUCTION),
        asked("dydx-mainnet-1", has_terminal=False),
        asked("dydx-testnet-4"),
    ],
)
def test_a_decision_that_does_not_wait_cannot_be_confirmed_into_another(request_: Request) -> None:
    decision = decide(request_)
    assert confirmed_by(decision, decision.network.chain_id) is decision
    assert not_confirmed(decision, "nobody there") is decision


def test_a_decision_is_made_by_deciding_alone() -> None:
    waiting = decide(asked("dydx-mainnet-1"))
    with pytest.raises(TypeError, match="decide"):
        replace(waiting, outcome=Outcome.RUNS)
    facts = {name: getattr(waiting, name) for name in Decision.__match_args__ if name != "seal"}
    with pytest.raises(TypeError, match="decide"):
        Decision(**{**facts, "outcome": Outcome.RUNS})
