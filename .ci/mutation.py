"""Changes what keeps real money safe, one place at a time, and sees whether a test notices.

usage: PYTHON .ci/mutation.py [--list] [--only TEXT] [--jobs N] [--minutes M]

Every rule of `safety/` and every caller that enforces one is changed in a copy of the tree (a condition turned round, a
refusal left out, a limit moved, the permissive word said, a whole check taken out of an entry), and the fast tests of
that file run until the first of them fails. A change that no test notices is printed with file and line, and makes the
exit code 1, unless it stands in EQUIVALENT with the reason why nothing can notice it. Exit code 2: the tests fail
without any change, or time ran out.
"""

import argparse
import ast
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("dydx_console", "tests", "pyproject.toml", "config.example.toml")
TIMEOUT_S = 120.0
"""A change that makes the tests last longer than this was noticed."""

SAFETY_TESTS = "tests/safety/test_survivors.py"
ADMISSION_TESTS = ("tests/cli/test_policy_admission.py",)
ENTRY_TESTS = ("tests/cli/test_policy_refused.py::test_mainnet_outside_production_starts_by_nothing_that_is_piped",)
SCRUB_TESTS = (
    "tests/cli/test_scrub.py::test_what_steers_goes_and_everything_else_stays",
    "tests/cli/test_scrub.py::test_commands_say_it_once_on_standard_error_and_once_in_the_log",
)
CONFIRM_TESTS = ("tests/cli/test_policy_screen.py", "tests/tui/test_confirm.py")


@dataclass(frozen=True)
class Target:
    """A file to change, the tests that must notice, and the functions meant: all of them where none is named."""

    path: str
    tests: tuple[str, ...]
    within: tuple[str, ...] = ()


TARGETS = (
    Target("dydx_console/safety/policy.py", ("tests/safety/test_policy.py", SAFETY_TESTS)),
    Target("dydx_console/safety/grants.py", ("tests/safety/test_grants.py", SAFETY_TESTS)),
    Target("dydx_console/safety/urls.py", ("tests/safety/test_url_rules.py", SAFETY_TESTS)),
    Target("dydx_console/safety/hosts.py", ("tests/safety/test_url_rules.py", SAFETY_TESTS)),
    Target("dydx_console/safety/networks.py", ("tests/safety/test_network_catalogue.py", SAFETY_TESTS)),
    Target(
        "dydx_console/safety/validator.py",
        ("tests/safety/test_network_validator.py", "tests/safety/test_network_catalogue.py", SAFETY_TESTS),
    ),
    Target(
        "dydx_console/cli/admission.py",
        ADMISSION_TESTS,
        ("checked_address", "loaded_or_fail", "decided", "admit", "_has_terminal", "confirm_at_prompt", "_typed_line"),
    ),
    Target("dydx_console/cli/sending.py", ADMISSION_TESTS),
    Target("dydx_console/cli/scrub.py", SCRUB_TESTS, ("scrub", "_is_unwanted", "Scrubbed.warnings")),
    Target("dydx_console/engine/gate.py", ("tests/engine/test_gate.py",)),
    Target(
        "dydx_console/engine/live.py",
        ("tests/engine/test_gate.py", "tests/engine/test_fresh_evidence.py", "tests/engine/test_chain_watch.py"),
        ("LiveSource.run",),
    ),
    Target(
        "dydx_console/engine/evidence.py",
        ("tests/engine/test_fresh_evidence.py",),
        ("EvidenceKeeper.contradiction", "EvidenceKeeper.fresh"),
    ),
    Target("dydx_console/tui/admission.py", CONFIRM_TESTS),
    Target(
        "dydx_console/tui/screens/confirm.py",
        CONFIRM_TESTS,
        ("ConfirmModal.look", "ConfirmModal.on_input_submitted", "ConfirmModal.action_leave", "ConfirmModal._end"),
    ),
    Target("dydx_console/tui/screens/modal.py", CONFIRM_TESTS, ("GuardedModal._painted", "GuardedModal.takes_key")),
    Target("dydx_console/tui/widgets/typed.py", CONFIRM_TESTS, ("TypedInput.on_paste", "TypedInput.action_paste")),
    Target(
        "dydx_console/tui/app.py",
        (*CONFIRM_TESTS, "tests/tui/test_console.py", "tests/tui/test_checks_sheet.py"),
        ("ConsoleApp._ask", "ConsoleApp._answered", "ConsoleApp.tick", "ConsoleApp._is_unmeant", "ConsoleApp.end"),
    ),
)

ENTRIES = ("run", "watch", "record", "faucet")
SENDERS = ("order_place", "order_amend", "order_cancel", "cancel_all", "close")
UNCHECKED = '''

def unchecked(loaded, wanted):
    """Admit whatever is asked for."""
    network = chosen_network(loaded.settings)
    from dydx_console.safety.policy import Environment, decide
    from dydx_console.safety.networks import network_named

    request = Request(Environment.PRODUCTION, network_named("mainnet"), wanted.entry, True, wanted.purpose)
    return Admission(loaded, network, Gate(decide(request)), _view(loaded, network, wanted, ()))
'''
"""What an entry calls instead of `admit` when its check is taken out."""

GRANTS, HOSTS = "dydx_console/safety/grants.py", "dydx_console/safety/hosts.py"
CONFIRM = "dydx_console/tui/screens/confirm.py"
_EPOCH = " in _EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)"
_FAR = "if abs(len(one) - len(other)) > NEAR: "
EQUIVALENT: dict[tuple[str, str, str, str], str] = {
    (GRANTS, "module", f"1970{_EPOCH}", "1971"): "milliseconds may be counted from any moment",
    (GRANTS, "module", f"1{_EPOCH}", "2"): "milliseconds may be counted from any moment",
    (
        "dydx_console/safety/urls.py",
        "_taken_apart",
        "1 in bare = re.split('[?#]', path, maxsplit=1)[0]",
        "2",
    ): "only the first part is taken",
    (
        "dydx_console/cli/admission.py",
        "_typed_line",
        "4096 in line = os.read(stdin, 4096) if stdin in ready else b''",
        "4097",
    ): "a terminal gives one line, of 4,096 characters at most",
    (CONFIRM, "ConfirmModal.on_input_submitted", "event.stop()", ""): "nobody above listens",
    (CONFIRM, "ConfirmModal.on_input_submitted", "self.look()", ""): "it looks by itself a moment later",
    ("dydx_console/tui/widgets/typed.py", "TypedInput.on_paste", "event.stop()", ""): "nobody above takes a paste",
    (HOSTS, "look_alike_reasons", "if host in _HOME: …", "if host in _HOME: pass"): "no two known hosts are near",
    (
        HOSTS,
        "_distance",
        f"{_FAR}…",
        f"{_FAR}pass",
    ): "it saves time alone: no distance is less than that of the lengths",
    (HOSTS, "_distance", "1 in return NEAR + 1", "2"): "both are more than NEAR",
    (
        "dydx_console/safety/networks.py",
        "network_named",
        "1 in close = get_close_matches(name, names, n=1)",
        "2",
    ): "only the first is taken",
    (
        "dydx_console/safety/validator.py",
        "NetworkValidator.url_findings",
        "for key, url in checked.items() if url.host",
        "for key, url in checked.items()",
    ): "what is no host belongs to no network",
}
"""Changes that nothing can notice, by file, function, the place before and after; and why."""

PERMISSIVE = {
    "REFUSED": "RUNS",
    "NEEDS_CONFIRMATION": "RUNS",
    "MISMATCH": "BOUND",
    "UNKNOWN": "BOUND",
    "ERROR": "WARNING",
    "SEND": "READ",
}
PERMISSIVE_OF = {("PolicyExit", "REFUSED"): "OK", ("PolicyExit", "CONFIGURATION"): "OK"}
ENUMS = ("Outcome", "PolicyExit", "BindingState", "Severity", "Purpose")
OTHER_COMPARISON: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OTHER_OPERATOR: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
OTHER_CALL = {"all": "any", "any": "all", "min": "max", "max": "min"}
SHARED = ast.operator | ast.cmpop | ast.boolop | ast.unaryop | ast.expr_context
"""Of these, all trees have the same objects."""
MEMBERS = ("log", "sys")
"""Calls of these say something, and refuse nothing."""


@dataclass(frozen=True)
class Mutant:
    """A changed tree: where, what it was and what it is, the files as they are now, and the tests that must notice."""

    path: str
    line: int
    where: str
    before: str
    after: str
    files: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is known by in EQUIVALENT."""
        return self.path, self.where, self.before, self.after

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.path}:{self.line} {self.where}: {self.before}  →  {self.after or '(left out)'}"


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node could be instead."""
    for kind, makers in CHANGES.items():
        if isinstance(node, kind):
            yield from makers(node)


def _of_compare(node: ast.Compare) -> Iterator[ast.AST]:
    for place, operator in enumerate(node.ops):
        changed = copy.deepcopy(node)
        changed.ops[place] = OTHER_COMPARISON[type(operator)]()
        yield changed


def _of_bool(node: ast.BoolOp) -> Iterator[ast.AST]:
    other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield ast.BoolOp(other, node.values)


def _of_not(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not):
        yield node.operand


def _of_condition(node: ast.If | ast.IfExp | ast.While) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Compare | ast.UnaryOp):
        changed = copy.deepcopy(node)
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield changed
    if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Return | ast.Raise | ast.Continue):
        changed = copy.deepcopy(node)
        changed.body = [ast.Pass()]
        yield changed


def _of_filter(node: ast.comprehension) -> Iterator[ast.AST]:
    if node.ifs:
        changed = copy.deepcopy(node)
        changed.ifs = []
        yield changed


def _of_statement(node: ast.Expr | ast.AugAssign | ast.Raise) -> Iterator[ast.AST]:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Await):
        value = value.value
    if isinstance(node, ast.Expr) and (
        not isinstance(value, ast.Call | ast.Yield | ast.YieldFrom) or _only_says(value)
    ):
        return
    yield ast.Pass()


def _only_says(value: ast.expr) -> bool:
    called = value.func if isinstance(value, ast.Call) else None
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id in MEMBERS


def _of_return(node: ast.Return) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
        yield ast.Return(ast.Constant(not node.value.value))
    if isinstance(node.value, ast.Tuple) and node.value.elts:
        yield ast.Return(ast.Tuple([], ast.Load()))


def _of_member(node: ast.Attribute) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Name) and node.value.id in ENUMS:
        other = PERMISSIVE_OF.get((node.value.id, node.attr), PERMISSIVE.get(node.attr))
        if other is not None:
            yield ast.Attribute(node.value, other, ast.Load())


def _of_number(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield ast.Constant(node.value + 1)


def _of_operator(node: ast.BinOp) -> Iterator[ast.AST]:
    other = OTHER_OPERATOR.get(type(node.op))
    if other is not None:
        yield ast.BinOp(node.left, other(), node.right)


def _of_call(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in OTHER_CALL:
        yield ast.Call(ast.Name(OTHER_CALL[node.func.id], ast.Load()), node.args, node.keywords)


CHANGES: dict[type[ast.AST] | tuple[type[ast.AST], ...], Callable[..., Iterator[ast.AST]]] = {
    ast.Compare: _of_compare,
    ast.BoolOp: _of_bool,
    ast.UnaryOp: _of_not,
    (ast.If, ast.IfExp, ast.While): _of_condition,
    ast.comprehension: _of_filter,
    (ast.Expr, ast.AugAssign, ast.Raise): _of_statement,
    ast.Return: _of_return,
    ast.Attribute: _of_member,
    ast.Constant: _of_number,
    ast.BinOp: _of_operator,
    ast.Call: _of_call,
}


class Places(ast.NodeVisitor):
    """Lists the nodes that may be changed, each with the function that it is in; not words, nor annotations."""

    def __init__(self, within: tuple[str, ...]) -> None:
        self.found: list[tuple[str, ast.AST]] = []
        self.statement: dict[int, ast.stmt] = {}
        self._within = within
        self._names: list[str] = []
        self._in: ast.stmt = ast.Pass()

    def visit(self, node: ast.AST) -> None:
        """Take in a node and all below it."""
        if isinstance(node, ast.JoinedStr | SHARED):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._enter(node)
            return
        if isinstance(node, ast.stmt):
            self._in = node
        where = ".".join(self._names)
        if not self._within or where in self._within:
            self.statement[len(self.found)] = self._in
            self.found.append((where or "module", node))
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.AST):
                    self.visit(one)

    def _enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._names.append(node.name)
        for one in node.body:
            self.visit(one)
        self._names.pop()


class Put(ast.NodeTransformer):
    """Puts a node in the place of another."""

    def __init__(self, number: int, other: ast.AST) -> None:
        self._number = number
        self._other = other

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the node, or the other one in its place."""
        if getattr(node, "number", None) == self._number:
            return ast.copy_location(copy.deepcopy(self._other), node) if hasattr(node, "lineno") else self._other
        return super().visit(node)


def mutants_of(target: Target) -> Iterator[Mutant]:
    """Yield every change of a file."""
    tree = ast.parse((ROOT / target.path).read_text(encoding="utf-8"))
    places = Places(target.within)
    places.visit(tree)
    for number, (_, node) in enumerate(places.found):
        node.number = number  # type: ignore[attr-defined]
    for number, (where, node) in enumerate(places.found):
        for other in changes(node):
            changed = ast.fix_missing_locations(Put(number, other).visit(copy.deepcopy(tree)))
            files = ((target.path, ast.unparse(changed) + "\n"),)
            before = _shown(node)
            if isinstance(node, ast.Constant):
                before += f" in {_shown(places.statement[number])}"
            yield Mutant(target.path, _line(node), where, before, _shown(other), files, target.tests)


def entry_mutants() -> Iterator[Mutant]:
    """Yield the program with the check of one entry taken out, for each of them."""
    app, sending = "dydx_console/cli/app.py", "dydx_console/cli/sending.py"
    admission = "dydx_console/cli/admission.py"
    opened = (ROOT / admission).read_text(encoding="utf-8") + UNCHECKED
    for path, name in (*((app, entry) for entry in ENTRIES), (sending, "refuse_or_say_not_built")):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        function = _function(tree, name)
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id == "admit":
                node.id = "unchecked"
            if isinstance(node, ast.ImportFrom):
                _import_unchecked(node)
        if path == sending:
            for node in tree.body:
                _import_unchecked(node)
        files = ((admission, opened), (path, ast.unparse(tree) + "\n"))
        yield Mutant(path, function.lineno, name, "admit(…)", "", files, ENTRY_TESTS)
    for name in SENDERS:
        tree = ast.parse((ROOT / app).read_text(encoding="utf-8"))
        function = _function(tree, name)
        kept = [one for one in function.body if not _calls(one, "refuse_or_say_not_built")]
        if len(kept) != len(function.body) - 1:
            raise LookupError(f"{name} does not call what decides whether it may send")
        function.body = kept
        files = ((app, ast.unparse(tree) + "\n"),)
        yield Mutant(app, function.lineno, name, "refuse_or_say_not_built(…)", "", files, ENTRY_TESTS)


def _function(tree: ast.Module, name: str) -> ast.FunctionDef:
    return next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)


def _calls(node: ast.stmt, name: str) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == name


def _import_unchecked(node: ast.AST) -> None:
    if isinstance(node, ast.ImportFrom) and node.module == "dydx_console.cli.admission":
        node.names = [ast.alias("unchecked") if name.name == "admit" else name for name in node.names]


def _line(node: ast.AST) -> int:
    if isinstance(node, ast.comprehension):
        return node.target.lineno
    return getattr(node, "lineno", 0)


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.Pass):
        return ""
    if isinstance(node, ast.If):
        body = "…" if not isinstance(node.body[0], ast.Pass) else "pass"
        return f"if {ast.unparse(node.test)}: {body}"
    return " ".join(ast.unparse(node).split())


NURSERY = """
import json, os, signal, sys, time
import httpx, hypothesis, msgspec, pydantic_settings, pytest, pytest_asyncio, textual.app, textual.widgets, typer
for line in sys.stdin:
    tests, within_s = json.loads(line)
    child = os.fork()
    if not child:
        os.setsid()
        told = os.open("told.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for old, new in ((os.open(os.devnull, os.O_RDONLY), 0), (told, 1), (told, 2)):
            os.dup2(old, new)
        quiet = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = pytest.main([*quiet, *tests])
        sys.stdout.flush()
        os._exit(int(code))
    ends_at = time.monotonic() + within_s
    ended, status = 0, 0
    while not ended and time.monotonic() < ends_at:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status) if ended else -1, flush=True)
"""
"""Runs tests, again and again, in children that find the libraries imported already: that is most of their time."""


class Tree:
    """A copy of the tree, in which tests are run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name in COPIED:
            _copied(ROOT / name, place / name)
        # with hashes, a changed file is compiled again even within the same second
        compiling = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "."]
        subprocess.run(compiling, cwd=place, check=False)  # noqa: S603 - a fixed command
        self._nursery = subprocess.Popen(  # noqa: S603 - a fixed command
            [sys.executable, "-c", NURSERY],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def failure(self, tests: Sequence[str]) -> str | None:
        """Return the last words of tests that fail, None where they pass."""
        if self._nursery.stdin is None or self._nursery.stdout is None:
            raise BrokenPipeError
        self._nursery.stdin.write(json.dumps((tests, TIMEOUT_S)) + "\n")
        self._nursery.stdin.flush()
        if int(self._nursery.stdout.readline()) == 0:
            return None
        return (self.place / "told.txt").read_text(encoding="utf-8", errors="replace")[-2_000:]

    def survives(self, mutant: Mutant) -> bool:
        """Return whether the tests pass with a change, which is taken back."""
        for path, text in mutant.files:
            (self.place / path).write_text(text, encoding="utf-8")
        try:
            return self.failure(mutant.tests) is None
        finally:
            for path, _ in mutant.files:
                shutil.copyfile(ROOT / path, self.place / path)

    def close(self) -> None:
        """Run no more."""
        self._nursery.communicate()


def _copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tried(mutants: Sequence[Mutant], jobs: int, minutes: float) -> int:
    """Try every change and print what no test noticed; returns the exit code."""
    began = time.monotonic()
    survivors: list[Mutant] = []
    late = 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        trees = [Tree(Path(folder) / f"tree{number}") for number in range(jobs)]
        free: SimpleQueue[Tree] = SimpleQueue()
        for tree in trees:
            free.put(tree)

        def one(mutant: Mutant) -> bool | None:
            if time.monotonic() - began > minutes * 60:
                return None
            tree = free.get()
            try:
                return tree.survives(mutant)
            finally:
                free.put(tree)

        try:
            if _fails_unchanged(trees[0], mutants):
                return 2
            with ThreadPoolExecutor(jobs) as pool:
                for mutant, survived in zip(mutants, pool.map(one, mutants), strict=True):
                    late += survived is None
                    if survived:
                        survivors.append(mutant)
                        say(f"{'equivalent' if mutant.key in EQUIVALENT else 'SURVIVES'}  {mutant}")
        finally:
            for tree in trees:
                tree.close()
    return _told(mutants, survivors, late, time.monotonic() - began)


def _fails_unchanged(tree: Tree, mutants: Sequence[Mutant]) -> bool:
    for tests in sorted({mutant.tests for mutant in mutants}):
        found = tree.failure(tests)
        if found is not None:
            say(f"without any change these fail: {' '.join(tests)}\n{found}")
            return True
    say(f"{len(mutants)} changes; the tests pass without any")
    return False


def _told(mutants: Sequence[Mutant], survivors: Sequence[Mutant], late: int, took_s: float) -> int:
    keys = {mutant.key for mutant in mutants}
    alive = {mutant.key for mutant in survivors}
    for key in EQUIVALENT:
        if key in keys and key not in alive and not late:
            say(f"in EQUIVALENT, and noticed all the same: {key}")
    unexplained = sum(mutant.key not in EQUIVALENT for mutant in survivors)
    noticed = len(mutants) - len(survivors) - late
    say(
        f"{noticed} of {len(mutants)} noticed, {len(survivors) - unexplained} equivalent, {unexplained} survive,"
        f" {late} not tried; {took_s:.0f} s"
    )
    if late:
        return 2
    return 1 if unexplained else 0


def main() -> int:
    """Run with the process's own arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the changes, and try none")
    parser.add_argument("--only", default="", metavar="TEXT", help="those alone whose line has TEXT in it")
    parser.add_argument("--jobs", type=int, default=2, help="so many at a time (default 2)")
    parser.add_argument("--minutes", type=float, default=15.0, help="stop after so long (default 15)")
    given = parser.parse_args()
    mutants = [*entry_mutants(), *(mutant for target in TARGETS for mutant in mutants_of(target))]
    chosen = [mutant for mutant in mutants if given.only in str(mutant)]
    if given.list:
        for mutant in chosen:
            say(str(mutant))
        say(f"{len(chosen)} changes")
        return 0
    return tried(chosen, given.jobs, given.minutes)


if __name__ == "__main__":
    sys.exit(main())
