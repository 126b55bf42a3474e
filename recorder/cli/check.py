"""``ib-recorder check``."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recorder.capture.gateway import ConnectError
from recorder.capture.survey import Answer, survey
from recorder.cli.errors import BAD_CONFIG
from recorder.config import Config, load
from recorder.config.limits import Limits, budget
from recorder.daemon import logs


def check(path: Path, *, connect: bool, as_json: bool) -> int:
    """Say what the config would record; returns the exit code.

    Raises:
        ConfigError: the file is wrong.
    """
    config = load(path)
    logs.configure()
    answers: list[Answer] | None = None
    if connect:
        try:
            answers = asyncio.run(survey(config))
        except ConnectError as error:
            sys.stderr.write(f"{path}: not connected: {error}\n")
            return BAD_CONFIG
    report = _report(config, answers)
    if as_json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        _show(report, connected=connect)
    return 0 if report["ok"] else BAD_CONFIG


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


def _show(report: dict[str, Any], *, connected: bool) -> None:
    console = Console()
    columns = ["line", "name", "contract", *(["conId", "exchange"] if connected else []), "streams"]
    table = Table(*columns, header_style="bold", show_edge=False, pad_edge=False)
    for line in report["lines"]:
        found = [str(line.get("con_id") or "-"), line.get("exchange") or "-"] if connected else []
        streams = " ".join(one["stream"] + ("!" if one["problem"] else "") for one in line["streams"])
        table.add_row(str(line["line"]), *map(escape, (line["name"], line["title"], *found, streams)))
    console.print(table)
    for line in report["lines"]:
        for problem in (line["problem"], *(one["problem"] for one in line["streams"])):
            if problem:
                console.print(f"line {line['line']} {line['name']}: {problem}", style="red", markup=False)
    for what, count in report["limits"].items():
        console.print(f"{count['used']} of {count['limit']} {what.replace('_', ' ')}", highlight=False)
