"""docs/simulator.md names every action, its parameters, and scripts that play."""

import inspect
import re
from pathlib import Path

from recorder.simulator import load_script
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


def test_the_script_shown_can_be_played(tmp_path):
    (script,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "script.yaml"
    path.write_text(script)
    assert [step.do for step in load_script(path)] == re.findall(r"do: (\w+)", script)
