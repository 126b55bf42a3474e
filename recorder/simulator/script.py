"""Scripts: failures of the gateway, by time. A YAML list of ``{at: 5, do: freeze, for: 10}``.

Rules:
- Read and checked whole before anything is played; what is wrong is told with file and line, and what is
  right.
- What it names must be there: a symbol or a farm that the market does not know is an error, not a step without effect.
- ``at`` is seconds from the start, ``every`` repeats; every other key is a parameter of the action
  (``actions``), ``for`` being its ``seconds``.
"""

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from recorder.simulator.actions import ACTIONS
from recorder.simulator.universe import universe
from recorder.simulator.world import FARMS

_WORDS = {"seconds": "for"}
"""What a script calls a parameter."""


class ScriptError(ValueError):
    """A script that cannot be played: ``FILE:LINE: what is wrong; what would be right``."""


@dataclass(frozen=True, slots=True)
class Step:
    """One action at its time.

    Attributes:
        at: seconds from the start.
        do: the action's name.
        arguments: its parameters.
        every: seconds after which it comes again, None: once.
    """

    at: float
    do: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    every: float | None = None

    def __post_init__(self) -> None:
        _check_time("at", self.at, least=0)
        if self.every is not None:
            _check_time("every", self.every, least=0.001)
        check(self.do, self.arguments)

    def __str__(self) -> str:
        """As a script has it: ``{at: 5, do: freeze, for: 10}``."""
        again = {} if self.every is None else {"every": self.every}
        said = {"at": self.at, "do": self.do, **self.arguments, **again}
        return f"{{{', '.join(f'{_WORDS.get(key, key)}: {_written(value)}' for key, value in said.items())}}}"


def load_script(path: Path) -> tuple[Step, ...]:
    """The steps of a script, in the order of the file.

    Raises:
        ScriptError: not to be read, not YAML, or not a list of steps.
    """
    try:
        entries = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptError(f"{path}:1: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScriptError(f"{path}:1: cannot be read: {error}") from None
    except YAMLError as error:
        raise ScriptError(f"{path}:{_line(error)}: not YAML: {_problem(error)}") from None
    if not isinstance(entries, list):
        raise ScriptError(f"{path}:1: a script is a list of steps such as '- {{at: 5, do: drop}}'")
    return tuple(_step(path, entries, index) for index in range(len(entries)))


def check(name: str, arguments: Mapping[str, Any]) -> None:
    """Whether an action takes these arguments.

    Raises:
        ScriptError: there is no such action or parameter, one is missing or of another type.
    """
    if name not in ACTIONS:
        raise ScriptError(f"there is no action {name!r}; there are {', '.join(ACTIONS)}")
    parameters = list(inspect.signature(ACTIONS[name]).parameters.values())[1:]
    known = {one.name: one for one in parameters}
    wrong = next((key for key in arguments if key not in known), None)
    if wrong is not None:
        raise ScriptError(f"{name} has no {wrong!r}; it takes {', '.join(known) or 'nothing'}")
    for one in parameters:
        if one.name in arguments:
            _check_type(name, one, arguments[one.name])
        elif one.default is inspect.Parameter.empty:
            raise ScriptError(f"{name} needs {one.name!r}")


def check_names(step: Step) -> None:
    """Whether the market knows the symbol and the farm that a step names.

    Raises:
        ScriptError: it does not; says which one may be meant.
    """
    symbol = step.arguments.get("symbol", "")
    if symbol not in ("", "all"):
        _check_known(step.do, symbol, _symbols())
    if step.do == "farm":
        _check_known(step.do, step.arguments["name"], FARMS)


def _check_known(name: str, given: str, known: Collection[str]) -> None:
    if given not in known:
        near = get_close_matches(given.upper(), known, 1) or get_close_matches(given.lower(), known, 1)
        meant = f"did you mean {near[0]}?" if near else f"it knows {', '.join(islice(known, 12))}, ..."
        raise ScriptError(f"{name}: the market knows no {given}; {meant}")


@cache
def _symbols() -> dict[str, None]:
    """All symbols, in the market's order."""
    return {one.symbol: None for one in universe(datetime.now(UTC).date()).instruments}


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_KINDS: dict[object, tuple[tuple[type, ...], str]] = {
    float: ((int, float), "a number"),
    int: ((int,), "a whole number"),
    str: ((str,), "a text (quote it if YAML takes it for something else)"),
    bool: ((bool,), "true or false"),
}


def _check_type(name: str, parameter: inspect.Parameter, value: object) -> None:
    choices = get_args(parameter.annotation)
    one_of = tuple({type(choice) for choice in choices}), f"one of {', '.join(map(str, choices))}"
    types, words = _KINDS.get(parameter.annotation, one_of)
    right = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if not right or (choices and value not in choices):
        raise ScriptError(f"{name}: {parameter.name} is {value!r}; it must be {words}")


def _check_time(key: str, value: object, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise ScriptError(f"{key} is {value!r}; it must be a number of seconds, at least {least}")


def _step(path: Path, entries: Any, index: int) -> Step:
    line = entries.lc.item(index)[0] + 1
    entry = entries[index]
    if not isinstance(entry, dict) or "at" not in entry or "do" not in entry:
        raise ScriptError(f"{path}:{line}: a step needs 'at' and 'do', as in '- {{at: 5, do: drop}}'")
    try:
        said = {("seconds" if key == "for" else key): _plain(value) for key, value in entry.items()}
        arguments = {key: value for key, value in said.items() if key not in {"at", "do", "every"}}
        step = Step(said["at"], said["do"], arguments, said.get("every"))
        check_names(step)
    except ScriptError as error:
        raise ScriptError(f"{path}:{line}: {error}") from None
    return step


def _plain(value: Any) -> Any:
    """Ruamel's scalars as Python's own."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return dict(value) if isinstance(value, dict) else value


def _line(error: YAMLError) -> int:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return mark.line + 1 if mark else 1


def _problem(error: YAMLError) -> str:
    return str(error.problem or error) if isinstance(error, MarkedYAMLError) else str(error)
