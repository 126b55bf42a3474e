"""What looks like a fault and is none: nothing is lost by it, so it explains no gap."""

import asyncio
import random

from night.data import pick, say
from night.kinds import fault
from night.log import Fault
from night.night import Night


@fault(1, benign=True)
async def chatter(night: Night, _fault: Fault, chance: random.Random) -> None:
    """What farms say all night."""
    pairs = [
        (2105, "HMDS data farm connection is broken:ushmds", 2106, "HMDS data farm connection is OK:ushmds"),
        (2157, "Sec-def data farm connection is broken:secdefnj", 2158, "Sec-def data farm connection is OK:secdefnj"),
        (2107, "HMDS data farm connection is inactive but should be available upon demand.ushmds", 2106,
         "HMDS data farm connection is OK:ushmds"),
        (2108, "Market data farm connection is inactive but should be available upon demand.usfarm.nj", 2119,
         "Market data farm is connecting:usfarm.nj"),
    ]  # fmt: skip
    code, text, after, text_after = chance.choice(pairs)
    say(night, code, text)
    await asyncio.sleep(chance.uniform(0.05, 0.5))
    say(night, after, text_after)


@fault(1, benign=True)
async def late_cancels(night: Night, fault: Fault, chance: random.Random) -> None:
    """Words about requests that nobody misses."""
    one = pick(night, fault, chance, lambda key: key[1] == "depth")
    say(night, 300, "Can't find EId with tickerId:1", 1_000_000)
    say(night, 310, "Can't find the subscribed market depth with tickerId:1", 1_000_001)
    if one is not None:
        say(
            night, 2152, "Exchanges - Depth: BATS; ARCA; Top: BYX; AMEX; Need additional permissions", one.req
        )
    await asyncio.sleep(0)


@fault(1, benign=True)
async def depth_reset(night: Night, fault: Fault, chance: random.Random) -> None:
    one = pick(night, fault, chance, lambda key: key[1] == "depth")
    if one is not None:
        say(night, 317, "Market depth data has been RESET. Please empty deep book contents.", one.req)


@fault(1, benign=True)
async def partly(night: Night, fault: Fault, chance: random.Random) -> None:
    """Part of the data needs a permission, or more is offered: the line goes on."""
    one = pick(night, fault, chance, lambda key: key[1] == "level1")
    if one is not None:
        code = chance.choice([10089, 10090, 10091])
        say(night, code, "Part of requested market data is not subscribed.", one.req)


@fault(1, benign=True)
async def slow(night: Night, fault: Fault, chance: random.Random) -> None:
    """One line goes at half its pace."""
    feed = night.market.feeds[chance.choice(sorted(night.market.feeds))]
    fault.keys = frozenset([feed.key])
    feed.pace = 0.5
    await asyncio.sleep(chance.uniform(1.0, 4.0))
    feed.pace = 1.0


@fault(1, benign=True)
async def market_closed(night: Night, fault: Fault, chance: random.Random) -> None:
    """A line whose hours are over stands still: silence without loss."""
    feed = night.market.feeds[
        chance.choice([line.name for line in night.market.lines.values() if line.is_closed]), "level1"
    ]
    fault.keys = frozenset([feed.key])
    seconds = chance.uniform(2.0, 12.0)
    feed.paused = asyncio.get_running_loop().time() + seconds
    await asyncio.sleep(seconds)


@fault(1, benign=True)
async def lingering(night: Night, _fault: Fault, chance: random.Random) -> None:
    """For a while cancelled subscriptions send on."""
    night.gateway.linger = True
    await asyncio.sleep(chance.uniform(1.0, 5.0))
    night.gateway.linger = False


@fault(1, benign=True)
async def echoes(night: Night, _fault: Fault, chance: random.Random) -> None:
    """For a while each value comes in other fields, too."""
    night.gateway.echo = True
    await asyncio.sleep(chance.uniform(1.0, 5.0))
    night.gateway.echo = False


@fault(1, benign=True)
async def stale_pictures(night: Night, _fault: Fault, chance: random.Random) -> None:
    """For a while who subscribes is told yesterday's close even if nothing can follow."""
    night.gateway.stale = True
    await asyncio.sleep(chance.uniform(2.0, 8.0))
    night.gateway.stale = False
