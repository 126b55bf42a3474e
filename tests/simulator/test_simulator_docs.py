"""docs/simulator.md names every action, its parameters, and scripts that play."""

import asyncio
import inspect
import re
from pathlib import Path

from recorder.simulator import Simulator, load_script
from recorder.simulator.actions import ACTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def test_every_action_is_in_the_table_with_its_parameters_and_no_other_is():
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", PAGE, re.MULTILINE))
    shown = {name: re.findall(r"`(\w+)`", parameters) for name, parameters in rows.items()}
    there = {
        name: [
            "for" if word == "seconds" else word for word in list(inspect.signature(action).parameters)[1:]
        ]
        for name, action in ACTIONS.items()
    }
    assert shown == there


def test_every_action_is_played_by_a_test():
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert set(ACTIONS) == set(re.findall(r'sim\.play\(\s*"(\w+)"', tests)) & set(ACTIONS)


def test_the_script_shown_can_be_played(tmp_path):
    (script,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "script.yaml"
    path.write_text(script)
    assert [step.do for step in load_script(path)] == re.findall(r"do: (\w+)", script)


def test_every_line_that_plays_what_goes_wrong_can_be_played(tmp_path, tools):
    rows = re.findall(r"^\| ([^|`]+) \| (.*) \|$", PAGE, re.MULTILINE)
    lines = [line for _, script in rows for line in re.findall(r"`(- {.*?})`", script)]
    path = tmp_path / "rows.yaml"
    path.write_text("\n".join(lines))

    async def played(step):
        async with Simulator(rate=100) as sim:
            raw = await tools.Raw.started(sim)
            raw.level1(1, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
            await raw.until(lambda f: f[0] == "2")
            await sim.play(step.do, **step.arguments)
            await asyncio.sleep(0.05)
            await raw.close()

    async def scenario():
        await asyncio.gather(*map(played, load_script(path)))

    asyncio.run(scenario())
    assert len(lines) > len(rows) > 40
