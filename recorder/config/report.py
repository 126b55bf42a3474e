"""Collects everything wrong with one config file, each problem at its line and column.

Rules:
- Values are checked by the model; its complaints are said here in the file's words and at the file's places.
- A problem is told by its key: `say` finds the place.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from recorder.config import wording
from recorder.config.document import Data, Document, Place
from recorder.config.problems import Key, Problem, dotted

M = TypeVar("M", bound=BaseModel)


class Report:
    """The problems of one file so far.

    Attributes:
        document: what the file says.
    """

    def __init__(self, file: Path, document: Document) -> None:
        self.document = document
        self._file = file
        self._problems: dict[Problem, None] = {}
        for flaw in document.flaws:
            self._add(flaw.key, flaw.place, flaw.message)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems, in file order."""
        return tuple(sorted(self._problems, key=lambda problem: (problem.line, problem.column)))

    def say(self, key: Key, message: str, *, of_key: bool = False) -> None:
        """Adds a problem at the value of ``key``; at the key itself with ``of_key``."""
        self._add(key, self.document.place(key, of_key=of_key), message)

    def unknown(self, key: Key, known: tuple[str, ...]) -> None:
        """Adds the problem that the last part of ``key`` is none of ``known``."""
        self.say(key, wording.unknown(str(key[-1]), known), of_key=True)

    def wrong(self, key: Key, right: str) -> None:
        """Adds the problem that the value at ``key`` is not ``right``."""
        self.say(key, f"should be {right}, not {self.found(key)}")

    def found(self, key: Key) -> str:
        """What stands at ``key``, for a message."""
        return wording.found(self.document.get(key), self.document.written(key))

    def no_nulls(self, model: type[BaseModel], key: Key, data: Mapping[str, Data]) -> None:
        """Adds a problem for each key of ``model`` that ``data`` leaves empty, or that reads as null."""
        for name in (name for name, value in data.items() if value is None and name in model.model_fields):
            schema = _schema(model, (name,))
            if schema.get("type") == "string" and "enum" not in schema:
                self.say((*key, name), wording.not_text(None, self.document.written((*key, name))))
            else:
                self.wrong((*key, name), wording.expected(schema))

    def made(self, model: type[M], key: Key, data: Mapping[str, Any]) -> M | None:
        """The model of the ``data`` at ``key``; None if there are problems with it, which are added."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self._complain(model, key, detail)
        return None

    def _complain(self, model: type[BaseModel], base: Key, detail: ErrorDetails) -> None:
        loc = detail["loc"]
        key = (*base, *loc)
        if not loc:
            return  # the line as a whole: `contracts.flaws` says it by key
        if detail["type"] == "extra_forbidden":
            self.unknown(key, tuple(model.model_fields))
        elif detail["type"] == "value_error":
            self.say(key, str(detail["ctx"]["error"]))
        elif detail["type"] == "string_type" and not isinstance(detail["input"], Mapping | tuple):
            self.say(key, wording.not_text(detail["input"], self.document.written(key)))
        else:
            self.wrong(key, wording.expected(_schema(model, loc)))

    def _add(self, key: Key, place: Place, message: str) -> None:
        self._problems[Problem(self._file, *place, dotted(key), message)] = None


@cache
def _properties(model: type[BaseModel]) -> dict[str, Any]:
    properties: dict[str, Any] = model.model_json_schema()["properties"]
    return properties


def _schema(model: type[BaseModel], loc: tuple[int | str, ...]) -> dict[str, Any]:
    """The JSON Schema of the field at ``loc``, an item of a list if ``loc`` goes that far."""
    schema: dict[str, Any] = _properties(model)[str(loc[0])]
    return schema["items"] if len(loc) > 1 else schema
