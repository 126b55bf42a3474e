"""What a power cut may leave of a folder: pure, from what was done to it.

What is assumed of the disk, and no more (POSIX, and that one rename is one step):
- The bytes of a file may be missing, half there, or be zeros of the right length, until the file is synced.
- A name that was made, moved or taken away may be so or not, until its folder is synced; one independent of the other,
  of the bytes behind it, and of the order in which it was done.
- After a failed sync of a file nothing of what was not yet durable will ever be sure, whatever is synced later.
- To sync a file does not make its name durable; to sync a folder does not make its own name durable.
- What was there before the trace is durable.
"""

import itertools
import math
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from faults.trace import EXCHANGE, LINKS, MKDIRS, OPENS, RENAMES, SYNCS, UNLINKS, WRITES, Call, Trace

Tree = dict[str, bytes | None]
"""Paths to the content of files; None: a folder."""

ROOT = 0
NONE, ALL, HALF, ZEROS = "none", "all", "half", "zeros"


@dataclass(frozen=True, slots=True)
class Names:
    """Entries of folders that change in one step: (folder, name, what it then stands for; None: nothing)."""

    changes: tuple[tuple[int, str, int | None], ...]
    doubted: bool = False
    variants = (NONE, ALL)


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes of a file that change: written from ``offset``; ``length`` instead: cut or stretched to it.

    ``doubted``: a sync of them has failed.
    """

    node: int
    offset: int = 0
    data: bytes = b""
    length: int | None = None
    doubted: bool = False

    @property
    def variants(self) -> tuple[str, ...]:
        return (NONE, ALL) if self.length is not None else (NONE, ALL, HALF, ZEROS)

    def applied(self, content: bytes, variant: str) -> bytes:
        """The file's content behind it."""
        if self.length is not None:
            return content[: self.length].ljust(self.length, b"\0")
        end = self.offset + len(self.data)
        if variant == ZEROS:
            return content.ljust(end, b"\0")
        data = self.data[: len(self.data) // 2] if variant == HALF else self.data
        return content[: self.offset].ljust(self.offset, b"\0") + data + content[self.offset + len(data) :]


Effect = Names | Bytes


@dataclass(slots=True)
class Content:
    """Folders and files by number; what each folder's names stand for, what each file holds."""

    folders: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})
    files: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> "Content":
        return Content({node: dict(names) for node, names in self.folders.items()}, dict(self.files))

    def apply(self, effect: Effect, variant: str = ALL) -> None:
        """Let an effect happen, as far as ``variant`` says."""
        if variant == NONE:
            return
        if isinstance(effect, Bytes):
            self.files[effect.node] = effect.applied(self.files[effect.node], variant)
            return
        for folder, name, node in effect.changes:
            self.folders[folder].pop(name, None)
            if node is not None:
                self.folders[folder][name] = node

    def find(self, path: str) -> int | None:
        """The number of what is at ``path``."""
        node: int | None = ROOT
        for name in filter(None, path.split("/")):
            node = self.folders.get(node, {}).get(name) if node is not None else None
        return node

    def tree(self, node: int = ROOT, path: str = "") -> Tree:
        """All that can be reached."""
        found: Tree = {}
        for name, child in self.folders[node].items():
            at = f"{path}/{name}" if path else name
            if child in self.folders:
                found[at] = None
                found |= self.tree(child, at)
            else:
                found[at] = self.files[child]
        return found


class Disk:
    """A folder as programs see it, as the disk has it, and what lies between."""

    def __init__(self, before: Mapping[str, bytes | None]) -> None:
        self.durable, self.seen = Content(), Content()
        self.pending: list[Effect] = []
        self._numbers = itertools.count(ROOT + 1)
        self._known: dict[int, int] = {}
        for path, content in sorted(before.items()):
            entry = Names(((*self._place(path), self._new(content)),))
            self.seen.apply(entry)
            self.durable.apply(entry)

    def step(self, call: Call) -> None:
        """One call; those that failed change nothing."""
        if call.name in SYNCS and call.result is not None:
            self._sync(self._node(call)) if call.done else self._doubt(self._node(call))
        elif not call.done or call.name == "say":
            return
        elif call.inode:
            node = self._node(call)
            for effect in _of_file(call, node, self.seen.files.get(node, b"")) if node is not None else ():
                self._do(effect)
        else:
            for effect in self._of_names(call):
                self._do(effect)

    def _do(self, effect: Effect) -> None:
        self.seen.apply(effect)
        self.pending.append(effect)

    def _sync(self, node: int | None) -> None:
        """All that is pending for one file or folder is durable; older changes of the same names are history."""
        kept: list[Effect] = []
        settled: set[tuple[int, str]] = set()
        for effect in reversed(self.pending):
            names = {change[:2] for change in effect.changes} if isinstance(effect, Names) else set()
            if _is_safe(effect, node):
                settled |= names
            elif not names or names - settled:
                kept.append(effect)
        kept.reverse()
        for effect in self.pending:
            if all(effect is not one for one in kept):
                self.durable.apply(effect)
        self.pending = kept

    def _doubt(self, node: int | None) -> None:
        self.pending = [
            replace(effect, doubted=True) if _is_safe(effect, node) else effect for effect in self.pending
        ]

    def _node(self, call: Call) -> int | None:
        """What an open file is in the model: by its name, or if that is gone by the number of before."""
        node = self._known.get(call.inode) if call.unnamed else self.seen.find(call.path)
        if node is not None:
            self._known[call.inode] = node
        return node

    def _of_names(self, call: Call) -> Iterator[Effect]:
        folder, name = self._place(call.path)
        if call.name in OPENS:
            node = self.seen.find(call.path)
            if node is None:
                yield Names(((folder, name, self._new(b"")),))
            elif call.flags & os.O_TRUNC and self.seen.files[node]:
                yield Bytes(node, length=0)
        elif call.name in MKDIRS:
            yield Names(((folder, name, self._new(None)),))
        elif call.name in UNLINKS:
            yield Names(((folder, name, None),))
        elif call.name in LINKS + RENAMES:
            yield Names(tuple(self._moved(call, (folder, name), self._place(call.to))))

    def _moved(
        self, call: Call, source: tuple[int, str], target: tuple[int, str]
    ) -> Iterator[tuple[int, str, int | None]]:
        here, there = self.seen.find(call.path), self.seen.find(call.to)
        if call.name in RENAMES and here != there:
            yield (*source, there if call.flags & EXCHANGE else None)
        yield (*target, here)

    def _place(self, path: str) -> tuple[int, str]:
        around, _, name = path.rpartition("/")
        folder = self.seen.find(around)
        assert folder is not None, f"{path}: its folder is not known"
        return folder, name

    def _new(self, content: bytes | None) -> int:
        """A file or folder that has no name yet."""
        node = next(self._numbers)
        for where in (self.seen, self.durable):
            if content is None:
                where.folders[node] = {}
            else:
                where.files[node] = content
        return node


def _is_safe(effect: Effect, synced: int | None) -> bool:
    """Whether an effect is durable when that file or folder is synced: not if an earlier sync of it has failed."""
    if isinstance(effect, Names):
        return not effect.doubted and synced in {folder for folder, *_ in effect.changes}
    return effect.node == synced and not effect.doubted


def _of_file(call: Call, node: int, content: bytes) -> Iterator[Effect]:
    if call.name in WRITES:
        yield Bytes(node, call.offset, call.data[: call.result])
    elif call.name == "ftruncate":
        yield Bytes(node, length=call.size)
    elif call.name == "fallocate" and not call.flags and call.offset + call.size > len(content):
        yield Bytes(node, length=call.offset + call.size)


@dataclass(frozen=True, slots=True)
class Crash:
    """A power cut behind so many calls: what is found, and what the program had said by then."""

    place: int
    tree: Tree
    said: bytes

    @property
    def key(self) -> int:
        """Equal for equal trees."""
        return hash(frozenset(self.tree.items()))


def crashes(before: Tree, trace: Trace, rng: random.Random, each: int) -> Iterator[Crash]:
    """Up to ``each`` states a crash point, the last point first, no state twice.

    Last first, because the more was said, the more must be there.
    """
    met: set[int] = set()
    for place, said, durable, pending in reversed(list(_cuts(before, trace))):
        for choice in choices([effect.variants for effect in pending], rng, each):
            crash = Crash(place, _left(durable, pending, choice), said)
            if crash.key not in met:
                met.add(crash.key)
                yield crash


def _cuts(before: Tree, trace: Trace) -> Iterator[tuple[int, bytes, Content, list[Effect]]]:
    """Behind each call: what was said, what is durable, what is not yet."""
    disk, said = Disk(before), b""
    yield 0, said, disk.durable.copy(), []
    for place, call in enumerate(trace, 1):
        disk.step(call)
        said += call.data if call.name == "say" else b""
        yield place, said, disk.durable.copy(), list(disk.pending)


def _left(durable: Content, pending: Sequence[Effect], choice: Sequence[str]) -> Tree:
    """The folder as it is found when of each effect so much has happened."""
    content = durable.copy()
    for effect, variant in zip(pending, choice, strict=True):
        content.apply(effect, variant)
    return content.tree()


def choices(variants: Sequence[tuple[str, ...]], rng: random.Random, limit: int) -> Iterator[tuple[str, ...]]:
    """How much of each effect happens: every way if these are few, else the extremes and a random choice."""
    if math.prod(map(len, variants)) <= limit:
        yield from itertools.product(*variants)
        return
    met = set(itertools.islice(_extremes(variants), limit))
    while len(met) < limit:
        met.add(tuple(rng.choice(one) for one in variants))
    yield from sorted(met)


def _extremes(variants: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Nothing; all; all names and no bytes, and the other way round; all but one, only one, the newest first."""
    for names, data in itertools.product((ALL, NONE), (ALL, NONE, ZEROS, HALF)):
        yield tuple(names if len(one) == 2 else data for one in variants)
    for place in range(len(variants) - 1, -1, -1):
        for most, other in ((ALL, NONE), (NONE, ALL)):
            yield tuple(other if at == place else most for at in range(len(variants)))
