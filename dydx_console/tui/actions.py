"""Every key of the console, once: bindings, help and palette are made from this table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from textual.binding import Binding, BindingType

__all__ = [
    "ACTIONS",
    "Action",
    "action_of",
    "binding_of",
    "bindings_of",
    "conflicts",
    "first_key",
    "in_group",
    "key_name",
    "keys_of",
]


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    `id` names it in a keymap; `keys` are separated by commas; `group` is where it works: `app`, `pane` (every pane),
    `table`, `orders` or `history`. `name` is the action method. Actions with a `hint` stand in the key bar.
    """

    id: str
    keys: str
    label: str
    group: str
    name: str
    hint: str = ""
    is_priority: bool = False
    in_palette: bool = True


ACTIONS: tuple[Action, ...] = (
    Action("app.help", "question_mark", "Keys of the focused pane", "app", "app.help", hint="keys"),
    Action("app.palette", "colon,ctrl+p", "Command palette", "app", "app.command_palette", hint="command",
           in_palette=False),
    Action("app.quit", "q", "Quit", "app", "app.quit", hint="quit"),
    Action("app.quit_now", "ctrl+q,ctrl+c", "Quit from anywhere", "app", "app.quit", is_priority=True,
           in_palette=False),
    Action("app.reconnect", "r", "Reconnect now", "app", "app.reconnect", hint="reconnect"),
    Action("app.theme", "t", "Next theme", "app", "app.next_theme"),
    Action("app.checks", "n", "Network checks", "app", "app.checks"),
    Action("app.log", "L", "Log: the notices of this run", "app", "app.log"),
    Action("app.diagnostics", "D", "Diagnostics: stream, budgets, breakers, failures", "app", "app.diagnostics"),
    Action("app.history", "H", "History: past orders, fills, funding, transfers, positions", "app", "app.history",
           hint="history"),
    Action("app.dismiss", "d", "Dismiss the oldest notice that stays", "app", "app.dismiss"),
    Action("app.screenshot", "f12", "Screenshot (address and balances covered)", "app", "app.snap"),
    Action("focus.1", "1", "Balances", "app", "screen.focus_pane('balances')"),
    Action("focus.2", "2", "Positions", "app", "screen.focus_pane('positions')"),
    Action("focus.3", "3", "Orders", "app", "screen.focus_pane('orders')"),
    Action("focus.4", "4", "Fills", "app", "screen.focus_pane('fills')"),
    Action("focus.5", "5", "PNL", "app", "screen.focus_pane('pnl')"),
    Action("focus.next", "tab", "Next pane", "app", "app.focus_next", in_palette=False),
    Action("focus.previous", "shift+tab", "Previous pane", "app", "app.focus_previous", in_palette=False),
    Action("pane.maximise", "z", "Maximise the pane, or restore it", "app", "screen.maximise", hint="maximise"),
    Action("app.back", "escape", "Back: filter, then maximised pane, then cursor", "app", "screen.back",
           in_palette=False),
    Action("pane.down", "j,down", "Down", "pane", "move(1)", in_palette=False),
    Action("pane.up", "k,up", "Up", "pane", "move(-1)", in_palette=False),
    Action("pane.half_down", "ctrl+d", "Half a page down", "pane", "half(1)", in_palette=False),
    Action("pane.half_up", "ctrl+u", "Half a page up", "pane", "half(-1)", in_palette=False),
    Action("pane.page_down", "pagedown,space", "A page down", "pane", "page(1)", in_palette=False),
    Action("pane.page_up", "pageup", "A page up", "pane", "page(-1)", in_palette=False),
    Action("pane.first", "g,home", "First", "pane", "edge(False)", in_palette=False),
    Action("pane.last", "G,end", "Last", "pane", "edge(True)", in_palette=False),
    Action("table.right", "l,right", "Columns to the right", "table", "sideways(1)", in_palette=False),
    Action("table.left", "h,left", "Columns to the left", "table", "sideways(-1)", in_palette=False),
    Action("table.filter", "slash", "Filter", "table", "screen.filter", hint="filter"),
    Action("table.sort", "o", "Sort by the next column", "table", "sort", hint="sort"),
    Action("table.reverse", "O", "Reverse the sort", "table", "reverse"),
    Action("table.detail", "enter", "Everything about the row", "table", "screen.detail", hint="detail"),
    Action("orders.working", "w", "Working orders only", "orders", "working", hint="working only"),
    Action("history.1", "1", "Orders", "history", "choose_tab(0)", in_palette=False),
    Action("history.2", "2", "Fills", "history", "choose_tab(1)", in_palette=False),
    Action("history.3", "3", "Funding payments", "history", "choose_tab(2)", in_palette=False),
    Action("history.4", "4", "Transfers", "history", "choose_tab(3)", in_palette=False),
    Action("history.5", "5", "Positions from flat to flat", "history", "choose_tab(4)", in_palette=False),
    Action("history.tab", "tab", "Next tab", "history", "tab(1)", in_palette=False),
    Action("history.tab_before", "shift+tab", "Previous tab", "history", "tab(-1)", in_palette=False),
    Action("history.next", "n", "Next page", "history", "page(1)", in_palette=False),
    Action("history.previous", "p", "Previous page", "history", "page(-1)", in_palette=False),
    Action("history.filter", "f", "Filter by status, market, side, type, sub, since, until", "history",
           "screen.filter_line", in_palette=False),
    Action("history.clear", "backspace", "Take text and filter away", "history", "screen.clear", in_palette=False),
    Action("history.fetch", "F", "Fetch older history from the venue, or go on", "history", "screen.fetch",
           in_palette=False),
    Action("history.stop", "i", "Stop fetching; what came is kept", "history", "screen.stop", in_palette=False),
    Action("pnl.next", "l,right", "Next range: today, 7 days, 30 days, all", "pnl", "span(1)", hint="range"),
    Action("pnl.previous", "h,left", "Range before", "pnl", "span(-1)"),
    Action("pnl.curve", "enter", "Curve of equity and PNL, large", "pnl", "curve", hint="curve"),
)  # fmt: skip

_BY_ID = {action.id: action for action in ACTIONS}
_NAMES = {
    "question_mark": "?", "colon": ":", "slash": "/", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
    "down": "↓", "up": "↑", "left": "←", "right": "→", "shift+tab": "shift+tab", "f12": "F12",
}  # fmt: skip
_SPELT = {"?": "question_mark", ":": "colon", "/": "slash", "esc": "escape", "pgdn": "pagedown", "pgup": "pageup"}


def in_group(*groups: str) -> tuple[Action, ...]:
    """Return the actions of some groups, in order."""
    return tuple(action for action in ACTIONS if action.group in groups)


def action_of(action_id: str) -> Action:
    """Return an action by its id. Raises KeyError."""
    return _BY_ID[action_id]


def bindings_of(*groups: str) -> list[BindingType]:
    """Return the bindings of some groups; a keymap replaces their keys by id."""
    return [binding_of(action) for action in in_group(*groups)]


def binding_of(action: Action) -> Binding:
    """Return an action's binding."""
    return Binding(action.keys, action.name, action.label, show=False, id=action.id, priority=action.is_priority)


def keys_of(action: Action, keymap: Mapping[str, str]) -> tuple[str, ...]:
    """Return an action's keys under a keymap, as Textual names them."""
    named = (key.strip() for key in keymap.get(action.id, action.keys).split(","))
    return tuple(_SPELT.get(key, key) for key in named if key)


def first_key(action: Action, keymap: Mapping[str, str]) -> str | None:
    """Return an action's first key under a keymap as people read it, None where it has none."""
    keys = keys_of(action, keymap)
    return key_name(keys[0]) if keys else None


def key_name(key: str) -> str:
    """Return how a key is shown to people."""
    return _NAMES.get(key, key)


def conflicts(keymap: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a keymap, one sentence each: unknown ids, actions without a key, keys given twice.

    A pane's keys may repeat in another pane, but neither may take a key of the app. The History screen, which covers
    the desk, has keys of its own beside those of panes and tables.
    """
    known = {action.id for action in ACTIONS}
    found = [f"keymap: there is no action {name!r}" for name in keymap if name not in known]
    found += [f"keymap: {action.id} has no key" for action in ACTIONS if not keys_of(action, keymap)]
    together = (
        in_group("app", "pane", "table", "orders"),
        in_group("app", "pane", "pnl"),
        in_group("pane", "table", "history"),
    )
    return list(dict.fromkeys([*found, *chain.from_iterable(_clashes(actions, keymap) for actions in together)]))


def _clashes(actions: Iterable[Action], keymap: Mapping[str, str]) -> Iterable[str]:
    taken: dict[str, Action] = {}
    for action in actions:
        for key in keys_of(action, keymap):
            other = taken.setdefault(key, action)
            if other is not action:
                yield f"keymap: {key_name(key)} is bound to both {other.id} and {action.id}"
