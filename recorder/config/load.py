"""Reads a config file: the one way from a path to a `Config`.

Rules:
- All problems of the file are told at once, each at its line and column.
- Paths in the file are relative to the file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from recorder.config import contracts
from recorder.config.document import Data, Document, NotYaml, parse
from recorder.config.entries import read_streams, read_watchlist
from recorder.config.model import LEVEL1, Config, Gateway, Status, Storage
from recorder.config.problems import ConfigError, Problem
from recorder.config.report import Report

M = TypeVar("M", bound=BaseModel)

_KEYS = tuple(Config.model_fields)
_EXAMPLE = f"watchlist: [{contracts.BASE}]"


def load(path: Path | str) -> Config:
    """The config in the file at ``path``, with ``storage.root`` made absolute.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong; it has all the problems.
    """
    file = Path(path)
    report = Report(file, _document(file))
    config = _config(report, file.absolute().parent)
    if config is None:
        raise ConfigError(report.problems)
    return config


def known(path: Path | str) -> tuple[Storage | None, Status | None]:
    """The sections ``storage`` (with an absolute root) and ``status`` of a file that may be wrong elsewhere.

    None is a section that is wrong itself; both are where the file cannot be read as YAML.
    """
    file = Path(path)
    try:
        report = Report(file, _document(file))
    except ConfigError:
        return None, None
    data = report.document.data
    if not isinstance(data, Mapping):
        return None, None
    storage = _right(report, data, "storage", Storage)
    root = storage and file.absolute().parent / storage.root
    return storage and storage.model_copy(update={"root": root}), _right(report, data, "status", Status)


def _right(report: Report, data: Mapping[str, Data], name: str, model: type[M]) -> M | None:
    found = _section(report, data, name, model)
    wrong = any(problem.key.split(".")[0] == name for problem in report.problems)
    return None if wrong else found


def _document(file: Path) -> Document:
    try:
        return parse(file.read_bytes())
    except OSError as error:
        message = f"cannot be read: {error.strerror}; name a config file that can"
        raise ConfigError((Problem(file, 1, 1, "", message),)) from None
    except NotYaml as error:
        raise ConfigError((Problem(file, *error.place, "", str(error)),)) from None


def _config(report: Report, folder: Path) -> Config | None:
    data = report.document.data
    if not isinstance(data, Mapping):
        said = "is empty" if data is None else f"should be keys and values, not {report.found(())}"
        report.say((), f"{said}; the least there is: {_EXAMPLE}")
        return None
    for key in data:
        if key not in _KEYS:
            report.unknown((key,), _KEYS)
    gateway = _section(report, data, "gateway", Gateway)
    storage = _section(report, data, "storage", Storage)
    status = _section(report, data, "status", Status)
    streams = read_streams(report, ("streams",)) if "streams" in data else {0: LEVEL1}
    if "watchlist" not in data:
        report.say(("watchlist",), f"missing; say what to record: {_EXAMPLE}")
    watchlist = read_watchlist(report, ("watchlist",), streams) if "watchlist" in data else ()
    if report.problems:
        return None
    return Config(
        gateway=gateway,
        storage=storage.model_copy(update={"root": folder / storage.root}),
        status=status,
        streams=tuple(streams.values()),
        watchlist=watchlist,
    )


def _section(report: Report, data: Mapping[str, Data], name: str, model: type[M]) -> M:
    """The section ``name``; its defaults where the file says nothing of it, or nothing right."""
    section = data.get(name)
    if section is None:  # a section whose keys are all commented out is an empty one
        if name == "status" and report.document.written((name,)):
            report.say((name,), "is null, which leaves the page on; to turn it off write {listen: null}")
        return model()
    if not isinstance(section, Mapping):
        report.wrong((name,), "keys and values")
        return model()
    return report.made(model, (name,), section) or model()
