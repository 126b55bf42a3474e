"""Faults of the connection, of the log-in, and of the recorder's own life."""

import asyncio
import random

from night.kinds import fault
from night.log import Fault
from night.night import Night
from night.wire import prefix

_ANSWER = 8.0
"""Seconds in which the recorder is back after it lost its connection, at the night's pace."""


async def _until_back(night: Night) -> None:
    await night.until(lambda: night.gateway.current is not None, _ANSWER)


async def _cut(night: Night, chance: random.Random) -> None:
    for conversation in list(night.gateway.conversations):
        (conversation.reset if chance.random() < 0.5 else conversation.hang_up)()


async def _met_with(night: Night, chance: random.Random, greeting: str, times: int) -> None:
    """Lose the connection; the next ones are not met as they should."""
    night.gateway.greetings.extend([greeting] * times)
    await _cut(night, chance)
    await night.until(lambda: not night.gateway.greetings, _ANSWER)
    await _until_back(night)


@fault(2)
async def drop(night: Night, _fault: Fault, _chance: random.Random) -> None:
    for conversation in list(night.gateway.conversations):
        conversation.hang_up()
    await _until_back(night)


@fault(2)
async def reset(night: Night, _fault: Fault, _chance: random.Random) -> None:
    for conversation in list(night.gateway.conversations):
        conversation.reset()
    await _until_back(night)


@fault(2)
async def freeze(night: Night, _fault: Fault, _chance: random.Random) -> None:
    """Half-open: nothing comes through, not even the answer to a heartbeat."""
    frozen = list(night.gateway.conversations)
    for conversation in frozen:
        conversation.frozen = True
    if not await night.until(lambda: all(one.closed for one in frozen), _ANSWER):
        night.gateway.complain("a dead connection was not given up")
        await _cut(night, random.Random(0))
    await _until_back(night)


@fault(1)
async def torn(night: Night, _fault: Fault, chance: random.Random) -> None:
    """A frame, half of it."""
    conversation = night.gateway.current
    if conversation is not None and conversation.subscriptions:
        one = chance.choice(list(conversation.subscriptions.values()))
        whole = night.market.feeds[one.key].message(one.req, 1)
        conversation.send(whole[: chance.randrange(1, len(whole))])
        conversation.hang_up()
    await _until_back(night)


@fault(1)
async def garbage(night: Night, _fault: Fault, chance: random.Random) -> None:
    """A length that cannot be."""
    conversation = night.gateway.current
    if conversation is not None:
        conversation.send(prefix(chance.choice([0xFFFFFFFF, 1 << 24, 0x41504900])) + chance.randbytes(40))
        conversation.frozen = True
        if not await night.until(lambda: conversation.closed, _ANSWER):
            night.gateway.complain("a stream that cannot be followed was not given up")
            conversation.reset()
    await _until_back(night)


@fault(1.5)
async def in_use(night: Night, _fault: Fault, chance: random.Random) -> None:
    await _met_with(night, chance, "in use", chance.randrange(1, 9))


@fault(1)
async def deaf(night: Night, _fault: Fault, chance: random.Random) -> None:
    """Accepted, and never a word."""
    await _met_with(night, chance, "deaf", chance.randrange(1, 3))


@fault(1)
async def hello_only(night: Night, _fault: Fault, chance: random.Random) -> None:
    await _met_with(night, chance, "hello", chance.randrange(1, 3))


@fault(1)
async def no_accounts(night: Night, _fault: Fault, chance: random.Random) -> None:
    await _met_with(night, chance, "no accounts", chance.randrange(1, 3))


@fault(1)
async def closed_at_once(night: Night, _fault: Fault, chance: random.Random) -> None:
    await _met_with(night, chance, "closed", chance.randrange(1, 5))


@fault(1)
async def refuse(night: Night, _fault: Fault, chance: random.Random) -> None:
    """Nobody listens for a while."""
    night.gateway.shut()
    await _cut(night, chance)
    await asyncio.sleep(chance.uniform(0.2, 2.0))
    await night.gateway.open()
    await _until_back(night)


@fault(0.8, restarts=True)
async def kill(night: Night, _fault: Fault, chance: random.Random) -> None:
    """Kill -9, and start again."""
    await night.recorder.kill()
    await asyncio.sleep(chance.uniform(0.0, 0.5))
    await night.recorder.start()
    await night.until_recording()


@fault(0.4, restarts=True)
async def term(night: Night, _fault: Fault, _chance: random.Random) -> None:
    """Stop as it should be stopped, and start again."""
    await night.stop_recorder()
    await night.recorder.start()
    await night.until_recording()


@fault(0.3, restarts=True)
async def lookups(night: Night, _fault: Fault, chance: random.Random) -> None:
    """Some lookups are rejected or not answered, when the recorder starts next."""
    night.gateway.lookups.extend(chance.choices(["321", "mute", ""], k=chance.randrange(3, 30)))
    await night.recorder.kill()
    await night.recorder.start()
    await night.until_recording()


@fault(1, alone=True)
async def reload(night: Night, fault: Fault, chance: random.Random) -> None:
    """A line is taken from the watchlist, and put there again."""
    line = chance.choice(list(night.market.lines.values()))
    keys = fault.keys = frozenset((line.name, stream) for stream in line.streams)
    night.recorder.reload(without=line.name)
    if not await night.until(lambda: not any(map(night.gateway.subscription, keys)), _ANSWER):
        night.gateway.complain(f"{line.name} was taken from the watchlist and goes on being subscribed")
    await asyncio.sleep(chance.uniform(0.0, 1.0))
    night.recorder.reload()
    if not await night.until(lambda: all(map(night.gateway.subscription, keys)), 2 * _ANSWER):
        fault.note = f"{line.name} was not subscribed again"
