"""``ib-recorder check``."""

import asyncio
import json
import sys
from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recorder.capture.gateway import ConnectError
from recorder.capture.survey import Answer, survey
from recorder.cli.errors import BAD_CONFIG, WrongOptionError
from recorder.config import Config, ConfigError, Problem, load
from recorder.config.difference import Difference, Recorded, difference
from recorder.config.limits import Limits, budget
from recorder.daemon import logs
from recorder.daemon.running import NAME, running
from recorder.journal import folder
from recorder.journal.folder import NotARecordingError


def check(path: Path, *, connect: bool, as_json: bool, against: Path | None = None) -> int:
    """Say what the config would record; returns the exit code.

    Args:
        path: the config file.
        connect: also ask the gateway about every line.
        as_json: answer as JSON.
        against: a config file, or the folder of a recording: say what changes from what that runs with.

    Raises:
        ConfigError: a file is wrong; it has the problems of both.
        WrongOptionError: ``against`` is not there, or a folder that is no recording.
    """
    config, running_config = _loaded(path, against)
    logs.configure()
    answers: list[Answer] | None = None
    if connect:
        try:
            answers = asyncio.run(survey(config))
        except ConnectError as error:
            sys.stderr.write(f"{path}: not connected: {error}\n")
            return BAD_CONFIG
    report = _report(config, answers)
    plan = difference(running_config, config) if running_config else None
    if as_json:
        sys.stdout.write(json.dumps(report | ({"plan": _as_json(plan)} if plan else {}), indent=1) + "\n")
    else:
        _show(report, plan, connected=connect)
    return 0 if report["ok"] else BAD_CONFIG


def _loaded(path: Path, against: Path | None) -> tuple[Config, Config | None]:
    """The config, and what runs; where both are wrong, both are told."""
    problems: list[Problem] = []
    configs: list[Config] = []
    for read, source in ((load, path), (_running, against)):
        try:
            configs += [_in_place(read(source))] if source else []
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))
    return configs[0], configs[1] if against else None


def _running(against: Path) -> Config:
    """What a recorder runs with: by a config file, or by its recording's folder."""
    if not against.exists():
        raise WrongOptionError(f"--against {against}: not there; name a config file or a recording's folder")
    if not against.is_dir():
        return load(against)
    if not (against / NAME).exists():
        try:
            folder.load(against)
        except NotARecordingError as error:
            raise WrongOptionError(str(error)) from None
    return running(against)


def _in_place(config: Config) -> Config:
    """With the root's real path: one folder under two names is one root."""
    storage = config.storage.model_copy(update={"root": config.storage.root.resolve()})
    return config.model_copy(update={"storage": storage})


def _report(config: Config, answers: list[Answer] | None) -> dict[str, Any]:
    verdicts = budget(config)
    lines = []
    for index, line in enumerate(config.watchlist):
        known = asdict(answers[index]) if answers else {"name": line.label or line.title, "problem": None}
        own = [verdict for verdict in verdicts if verdict.line == index]
        streams = [{"stream": verdict.stream.kind, "problem": verdict.reason} for verdict in own]
        lines.append({"line": index + 1, "title": line.title, **known, "streams": streams})
    fine = all(not line["problem"] and all(not one["problem"] for one in line["streams"]) for line in lines)
    return {"ok": fine, "lines": lines, "limits": _limits(config)}


def _limits(config: Config) -> dict[str, dict[str, int]]:
    allowed = Limits.of(config.gateway.max_lines)
    asked = [stream.kind for line in config.watchlist for stream in line.streams]
    level1 = sum(kind in ("level1", "bars") for kind in asked)
    depth = asked.count("depth")
    return {
        "market_data_lines": {"used": level1, "limit": allowed.lines},
        "tick_by_tick": {"used": len(asked) - level1 - depth, "limit": allowed.tick_by_tick},
        "depth": {"used": depth, "limit": allowed.depth},
    }


def _show(report: dict[str, Any], plan: Difference | None, *, connected: bool) -> None:
    console = Console()
    if plan is None or connected:
        _show_lines(console, report, connected=connected)
    for line in report["lines"]:
        for problem in (line["problem"], *(one["problem"] for one in line["streams"])):
            if problem:
                console.print(f"line {line['line']} {line['name']}: {problem}", style="red", markup=False)
    for said in _changes(plan) if plan else ():
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    for what, count in report["limits"].items():
        console.print(f"{count['used']} of {count['limit']} {what.replace('_', ' ')}", highlight=False)
    if plan:
        console.print(plan.words(), markup=False, highlight=False, soft_wrap=True)


def _show_lines(console: Console, report: dict[str, Any], *, connected: bool) -> None:
    columns = ["line", "name", "contract", *(["conId", "exchange"] if connected else []), "streams"]
    table = Table(*columns, header_style="bold", show_edge=False, pad_edge=False)
    for line in report["lines"]:
        found = [str(line.get("con_id") or "-"), line.get("exchange") or "-"] if connected else []
        streams = " ".join(one["stream"] + ("!" if one["problem"] else "") for one in line["streams"])
        table.add_row(str(line["line"]), *map(escape, (line["name"], line["title"], *found, streams)))
    console.print(table)


def _changes(plan: Difference) -> Iterator[str]:
    """The plan for a person: lines that come, go and change, then the other settings."""
    changed = {change.line for change in plan.changed}
    yield from _lines("+", plan.added, changed, plan.refused_before, "fits now")
    yield from _lines("-", plan.removed, changed, plan.refused, "does not fit any more")
    for change in plan.changed:
        streams = (*(f"+{kind}" for kind in change.added), *(f"-{kind}" for kind in change.removed))
        if said := ", ".join(map(str, (*change.settings, *streams))):
            yield f"~ {change.name}  {said}"
    for setting in plan.at_reload:
        yield f"at a reload: {setting}"
    for setting in plan.at_restart:
        yield f"at a restart: {setting}"


def _lines(
    sign: str,
    streams: Iterable[Recorded],
    changed: Container[Hashable],
    limited: Container[Recorded],
    why: str,
) -> Iterator[str]:
    """One line of the watchlist a line; those in ``changed`` are told elsewhere, ``why`` is said of ``limited``."""
    lines: dict[Hashable, list[Recorded]] = {}
    for one in streams:
        if one.line not in changed:
            lines.setdefault(one.line, []).append(one)
    for line in lines.values():
        kinds = (f"{one.kind} ({why})" if one in limited else one.kind for one in line)
        yield f"{sign} {line[0].name}  {' '.join(kinds)}"


def _as_json(plan: Difference) -> dict[str, Any]:
    def plain(one: Recorded) -> dict[str, Any]:
        return {"name": one.name, "title": one.title, "stream": one.kind, "options": dict(one.options)}

    told = {name: [plain(one) for one in getattr(plan, name)] for name in ("added", "removed", "kept")}
    for name in ("refused_before", "refused"):
        told[name] = [{**plain(one), "problem": why} for one, why in getattr(plan, name).items()]
    for name in ("changed", "at_reload", "at_restart"):
        told[name] = [asdict(one) for one in getattr(plan, name)]
    for change in told["changed"]:
        del change["line"]
    return {**told, "words": plan.words()}
