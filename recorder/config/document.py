"""YAML, known to this file alone: text in, plain data and its places out.

Rules:
- YAML 1.2: ``NO`` and ``ON`` are text. Nothing is guessed: a value's text as written stays at hand.
- Reads nodes, not objects: every key and every value keeps its line and column.
- Plain YAML only. A tag of one's own, a key that is not a word and a key given twice are flaws.
- Knows nothing of what the keys mean.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from recorder.config.problems import Key

Data = Mapping[str, "Data"] | tuple["Data", ...] | str | int | float | bool | date | None

Place = tuple[int, int]
"""Line and column, both from 1."""

_CORE = "tag:yaml.org,2002:"
_NAMES = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq")
_PLAIN = frozenset(_CORE + name for name in _NAMES)
_HINTS = (
    ("'\\t'", "indent with spaces, not with tabs"),
    ("mapping values are not allowed", "quote a value that has a colon in it, and check the indentation"),
    ("another document", "keep one document in the file"),
)


class NotYaml(ValueError):  # noqa: N818 - it names what the file is, not what the program did
    """The text is not one YAML document; ``place`` is where that shows."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that reads, but that a config file may not have."""

    key: Key
    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its data, and where each part of it stands."""

    data: Data
    flaws: tuple[Flaw, ...]
    _root: Node | None = field(repr=False)

    def get(self, key: Key) -> Data:
        """The value at ``key``, which must exist."""
        data = self.data
        for part in key:
            data = data[part]  # type: ignore[index]
        return data

    def place(self, key: Key, *, of_key: bool = False) -> Place:
        """Where the value at ``key`` stands, or its key with ``of_key`` or if the value is left empty.

        A key that is not there stands where what would hold it does.
        """
        name, here = None, self._root
        for part in key:
            found = _child(here, part)
            if found is None:
                break
            name, here = found
        if name is not None and (of_key or _is_empty(here)):
            return _place(name)
        return _place(here) if here is not None else (1, 1)

    def written(self, key: Key) -> str | None:
        """The text of the scalar at ``key`` as it stands in the file; None if it is none."""
        here = self._root
        for part in key:
            found = _child(here, part)
            if found is None:
                return None
            here = found[1]
        return here.value if isinstance(here, ScalarNode) else None


def parse(content: bytes) -> Document:
    """The one document in ``content``, which is UTF-8.

    Raises:
        NotYaml: it is not UTF-8, not YAML, or more than one document.
    """
    text = _decoded(content)
    try:
        root = _compose(text)
        walk = _Walk()
        data = walk.data(root, ()) if root is not None else None
    except MarkedYAMLError as error:
        raise NotYaml(_error_place(error), _complaint(error)) from None
    except ReaderError as error:
        raise NotYaml(
            _offset(text, error.position), "not YAML: an unprintable character; delete it"
        ) from None
    except YAMLError as error:
        raise NotYaml((1, 1), f"not YAML: {error}; check the file") from None
    except RecursionError:
        raise NotYaml((1, 1), "nested too deeply; four levels are all a config needs") from None
    return Document(data, tuple(walk.flaws), root)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        raise NotYaml(_offset(before, len(before)), "not UTF-8 text; save the file as UTF-8") from None


def _compose(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # naming an anchor anew is legal YAML
    root: Node | None = yaml.compose(text)
    return root


class _Walk:
    """Turns nodes into plain data, each node once however many aliases name it."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self._open: set[int] = set()
        self._done: dict[int, Data] = {}

    def data(self, node: Node, key: Key) -> Data:
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise NotYaml(_place(node), "an alias inside its own anchor; write the value out")
        self._open.add(id(node))
        if str(node.tag) not in _PLAIN:
            self._flaw(key, node, f"the tag {_tag(node)} is not known here; write the plain value")
        self._done[id(node)] = data = self._inside(node, key)
        return data

    def _inside(self, node: Node, key: Key) -> Data:
        if isinstance(node, MappingNode):
            return {name: self.data(value, (*key, name)) for name, value in self._pairs(node, key)}
        if isinstance(node, SequenceNode):
            return tuple(self.data(value, (*key, index)) for index, value in enumerate(node.value))
        if not _is_whole(node.value):
            self._flaw(key, node, "has half a character in it; write the character itself")
            return str(node.value.encode("ascii", "replace"), "ascii")
        return _scalar(node)

    def _pairs(self, node: MappingNode, key: Key) -> Iterator[tuple[str, Node]]:
        first: dict[str, int] = {}
        for name, value in node.value:
            if not isinstance(name, ScalarNode) or not _is_whole(name.value):
                self._flaw(key, name, "a key is not a word; write it as NAME: VALUE")
            elif name.value in first:
                again = f"given twice, first on line {first[name.value]}; keep one of the two"
                self._flaw((*key, name.value), name, again)
            else:
                first[name.value] = _place(name)[0]
                yield name.value, value

    def _flaw(self, key: Key, node: Node, message: str) -> None:
        self.flaws.append(Flaw(key, _place(node), message))


def _is_whole(text: str) -> bool:
    r"""Whether ``text`` is free of surrogates, which an escape such as ``\ud800`` can bring in."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    return int(text, 0 if digits[:2].lower() in ("0x", "0o", "0b") else 10)


def _number(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_READ: Mapping[str, Callable[[str], Data]] = {
    f"{_CORE}null": lambda _: None,
    f"{_CORE}bool": lambda text: text.lower() in ("true", "yes", "on", "y"),
    f"{_CORE}int": _integer,
    f"{_CORE}float": _number,
    f"{_CORE}timestamp": date.fromisoformat,
}


def _scalar(node: Node) -> Data:
    text: str = node.value
    try:
        return _READ.get(str(node.tag), str)(text)
    except ValueError:  # the text does not fit its tag, a date with a time in it for one: then it is text
        return text


def _child(node: Node | None, part: str | int) -> tuple[Node | None, Node] | None:
    """The key node, if it has one, and the value node of ``part`` in ``node``."""
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    if isinstance(node, MappingNode):
        return next(((name, value) for name, value in node.value if name.value == part), None)
    return None


def _is_empty(node: Node | None) -> bool:
    """Whether a key has nothing behind it; the parser's place for that is anywhere up to the next key."""
    return isinstance(node, ScalarNode) and node.style is None and not node.value


def _tag(node: Node) -> str:
    return str(node.tag).replace(_CORE, "!!")


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _offset(text: str, offset: int) -> Place:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _error_place(error: MarkedYAMLError) -> Place:
    mark = error.problem_mark or error.context_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _complaint(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    context = ""
    if error.context and error.context_mark:
        context = f" {error.context} that began on line {error.context_mark.line + 1}"
    hints = (hint for sign, hint in _HINTS if sign in problem)
    return f"not YAML: {problem}{context}; {next(hints, 'check indentation, brackets and quotes here')}"
