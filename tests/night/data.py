"""Faults behind a connection that lives: IB, its farms, single lines."""

import asyncio
import random
from collections.abc import Callable

from night.conversation import Subscription
from night.kinds import fault
from night.log import Fault
from night.market import FARMS, Key
from night.night import Night
from night.wire import error

LAG = 0.5
"""IB notices a loss up to so many seconds late, and data follow its "restored" as late."""

_IN_FLIGHT = 0.08
_LOST = "Connectivity between IB and Trader Workstation has been lost."
_KEPT = "Connectivity between IB and Trader Workstation has been restored - data maintained."
_GONE = "Connectivity between IB and Trader Workstation has been restored - data lost."
_LIVELY = 2.0
"""Ticks a second of a line whose silence can be noticed in this night."""


def say(night: Night, code: int, text: str, req: int = -1) -> None:
    if night.gateway.current is not None:
        night.gateway.current.send(error(req, code, text))


def pick(
    night: Night, fault: Fault, chance: random.Random, wanted: Callable[[Key], bool]
) -> Subscription | None:
    """A stream that is being received now; the fault is its own from here on."""
    keys = [key for key in sorted(night.market.feeds) if wanted(key) and night.gateway.received(key)]
    one = night.gateway.subscription(chance.choice(keys)) if keys else None
    fault.keys = frozenset([one.key]) if one else frozenset()
    return one


def _any(_key: Key) -> bool:
    return True


async def _lose_ib(night: Night, fault: Fault, chance: random.Random) -> None:
    """Gone from up to LAG before the notice, or a little behind it."""
    early = chance.uniform(0, LAG) if chance.random() < 0.7 else 0.0
    if early:
        night.gateway.veils[fault.index] = fault.touches
        await asyncio.sleep(early)
    night.gateway.broken.add("IB")
    say(night, 1100, _LOST)
    if not early:
        await asyncio.sleep(chance.uniform(0, _IN_FLIGHT))
        night.gateway.veils[fault.index] = fault.touches
    await asyncio.sleep(chance.choice([0.05, 0.3, 1.0, 3.0]))


async def _find_ib(night: Night, fault: Fault, chance: random.Random, code: int, text: str) -> None:
    night.gateway.broken.discard("IB")
    say(night, code, text)
    await asyncio.sleep(chance.uniform(0, LAG))
    night.gateway.veils.pop(fault.index, None)


def _kill_some(night: Night, fault: Fault, chance: random.Random, share: float) -> int:
    """IB forgets some of the subscriptions the fault touches, and says nothing of it.

    Slow lines are spared: to notice their silence takes longer than a night as short as this.
    """
    current = night.gateway.current
    touched = [one for one in current.live() if fault.touches(one.key)] if current else []
    lively = [one for one in touched if one.dead is None and _is_lively(night, one.key)]
    dead = [one for one in lively if chance.random() < share]
    for one in dead:
        one.dead = fault
    return len(dead)


async def _until_asked_anew(night: Night, fault: Fault, seconds: float = 10.0) -> None:
    """Until nothing is dead by this fault any more; what the recorder does not see stays dead."""

    def forgotten() -> bool:
        current = night.gateway.current
        return current is not None and any(one.dead is fault for one in current.live())

    if not await night.until(lambda: not forgotten(), seconds):
        fault.note += " not asked anew in time"
        fault.lasting = True


@fault(1.5)
async def lost_kept(night: Night, fault: Fault, chance: random.Random) -> None:
    async with night.turn("IB", fault):
        await _lose_ib(night, fault, chance)
        await _find_ib(night, fault, chance, 1102, _KEPT)


@fault(1.5)
async def lost_some(night: Night, fault: Fault, chance: random.Random) -> None:
    """IB says it kept the data, and forgot some lines for good."""
    async with night.turn("IB", fault):
        await _lose_ib(night, fault, chance)
        fault.note = f"{_kill_some(night, fault, chance, 0.3)} forgotten"
        await _find_ib(night, fault, chance, 1102, _KEPT)
    await _until_asked_anew(night, fault)


@fault(1)
async def lost_all(night: Night, fault: Fault, chance: random.Random) -> None:
    async with night.turn("IB", fault):
        await _lose_ib(night, fault, chance)
        for one in night.gateway.current.live() if night.gateway.current else []:
            one.dead = one.dead or fault
        await _find_ib(night, fault, chance, 1101, _GONE)
    await _until_asked_anew(night, fault)


@fault(3)
async def farm(night: Night, fault: Fault, chance: random.Random) -> None:
    """A farm breaks and comes back; sometimes it forgets lines."""
    name = chance.choice(FARMS)
    fault.keys = frozenset(key for key, feed in night.market.feeds.items() if feed.line.farm == name)
    async with night.turn(name, fault):
        await _break_farm(night, fault, chance, name)
    await _until_asked_anew(night, fault)


async def _break_farm(night: Night, fault: Fault, chance: random.Random, name: str) -> None:
    night.gateway.veils[fault.index] = fault.touches
    await asyncio.sleep(chance.uniform(0, LAG))
    night.gateway.broken.add(name)
    say(night, 2103, f"Market data farm connection is broken:{name}")
    await asyncio.sleep(chance.choice([0.05, 0.3, 1.0, 3.0]))
    if chance.random() < 0.4:
        fault.note = f"{_kill_some(night, fault, chance, 0.4)} forgotten"
    night.gateway.broken.discard(name)
    say(night, 2104, f"Market data farm connection is OK:{name}")
    await asyncio.sleep(chance.uniform(0, LAG))
    night.gateway.veils.pop(fault.index, None)


@fault(1)
async def competing(night: Night, fault: Fault, chance: random.Random) -> None:
    """Another session takes the data of all lines; some get it back by themselves, some only when asked anew."""
    gateway = night.gateway
    async with night.turn("competing", fault):
        gateway.denied |= dict.fromkeys(night.market.feeds, 10197)
        gateway.veils[fault.index] = fault.touches
        for one in gateway.current.live() if gateway.current else []:
            say(night, 10197, "No market data during competing live session", one.req)
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        gateway.denied.clear()
        fault.note = f"{_kill_some(night, fault, chance, chance.choice([0.0, 0.5, 1.0]))} forgotten"
        gateway.veils.pop(fault.index, None)
    await _until_asked_anew(night, fault)


@fault(1.5)
async def denied(night: Night, fault: Fault, chance: random.Random) -> None:
    """No permission for one stream, for a while."""
    one = pick(night, fault, chance, _any)
    if one is None:
        return
    code = chance.choice([354, 354, 420, 10168, 10186, 10189, 10089])
    night.gateway.denied[one.key] = code
    night.gateway.end(one, fault, code, "Requested market data is not subscribed.")
    await asyncio.sleep(chance.uniform(0.3, 2.0))
    night.gateway.denied.pop(one.key, None)
    await _until_subscribed(night, fault, one.key)


async def _until_subscribed(night: Night, fault: Fault, key: Key, seconds: float = 10.0) -> None:
    if not await night.until(lambda: night.gateway.subscription(key) is not None, seconds):
        fault.note += " not asked anew in time"


@fault(1.5)
async def dropped_updates(night: Night, fault: Fault, chance: random.Random) -> None:
    one = pick(night, fault, chance, _any)
    if one is not None:
        night.gateway.end(one, fault, 10182, "Failed to request live updates (disconnected).")
        await _until_subscribed(night, fault, one.key)


@fault(1)
async def depth_halted(night: Night, fault: Fault, chance: random.Random) -> None:
    one = pick(night, fault, chance, lambda key: key[1] == "depth")
    if one is not None:
        night.gateway.end(one, fault, 316, "Market depth data has been HALTED. Please re-subscribe.")
        await _until_subscribed(night, fault, one.key)


@fault(1)
async def rerouted(night: Night, fault: Fault, chance: random.Random) -> None:
    """IB moves a CFD's data to the underlying: whoever asks is told so and gets nothing."""
    one = pick(
        night, fault, chance, lambda key: night.market.lines[key[0]].is_cfd and key[1] in ("level1", "depth")
    )
    if one is not None:
        name = one.key[0]
        fault.keys = frozenset((name, stream) for stream in night.market.lines[name].streams)
        night.gateway.rerouted.add(name)
        night.gateway.end(one, fault, 10182, "Failed to request live updates (disconnected).")
        await _until_subscribed(night, fault, one.key)
        await asyncio.sleep(chance.uniform(0.5, 3.0))
        night.gateway.rerouted.discard(name)


@fault(2)
async def mute(night: Night, fault: Fault, chance: random.Random) -> None:
    """One line falls silent, without a word, until it is asked anew."""
    one = pick(night, fault, chance, lambda key: _is_lively(night, key))
    if one is not None:
        one.dead = fault
        await _until_asked_anew(night, fault, 20.0)


def _is_lively(night: Night, key: Key) -> bool:
    feed = night.market.feeds[key]
    return feed.rate >= _LIVELY and not feed.line.is_closed
