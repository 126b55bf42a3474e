"""Every command as a user types it, and what it says when something is wrong."""

import asyncio
import signal
import socket

import pytest
from daemon import python, run, segments, start, table, until, write_config
from scripted import scripted

from recorder.wire.layouts import TICK_PRICE

AAPL = "{type: stock, symbol: AAPL}"


def ran(*command):
    return asyncio.run(run(*map(str, command)))


async def one_price(conversation, req, _fields):
    conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 5.0, "size": 1, "attribs": 1}))


def test_a_bad_config_is_one_line_a_problem_and_exit_2(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("gatway: {}\nwatchlist:\n  - {type: stock, symbol: 700}\n")
    code, output, errors = ran("check", path)
    assert (code, output) == (2, "")
    first, second = errors.splitlines()
    assert first.startswith(f"{path}:1:1: gatway: ")
    assert "gateway" in first
    assert second.startswith(f"{path}:3:27: watchlist[0].symbol: ")
    assert ran("run", path)[0] == 2


def test_check_shows_the_lines_of_a_good_config(tmp_path):
    code, output, errors = ran("check", write_config(tmp_path, 4002, AAPL))
    assert (code, errors) == (0, "")
    assert "AAPL" in output
    assert "1 of 100 market data lines" in output


def test_check_connect_says_plainly_that_nothing_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, _, errors = ran("check", write_config(tmp_path, port, AAPL), "--connect")
    assert code == 2
    assert "nothing listens on 127.0.0.1" in errors
    assert "Traceback" not in errors


HAS = "a recording has recording.json, journal/ and a folder a table; name the folder that storage.root names"


@pytest.mark.parametrize("command", ["verify", "recover", "coverage", "compact", "retain --days 3"])
def test_a_folder_that_is_no_recording_is_said_in_one_line_by_every_command_alike(tmp_path, command):
    (tmp_path / "photos").mkdir()
    word, *options = command.split()
    said = f"{tmp_path}: not a recording: holds photos; {HAS}\n"
    assert (1, "", said) == ran(word, tmp_path, *options)


def test_what_is_there_instead_of_a_recording_is_said(tmp_path):
    (tmp_path / "file").touch()
    for name, found in (("file", "a file"), ("nowhere", "no such folder")):
        root = tmp_path / name
        assert (1, "", f"{root}: not a recording: {found}; {HAS}\n") == ran("verify", root)


def test_a_root_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    code, _, errors = ran("run", write_config(tmp_path, 4002, AAPL))
    assert code == 1
    assert "thesis.txt" in errors
    assert len(errors.splitlines()) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["thesis.txt"]


def test_an_unwritable_root_is_said_in_one_line(tmp_path):
    # A path through a file cannot be made by anyone, not even by root, who may write everywhere else.
    (tmp_path / "data").write_text("")
    code, _, errors = ran("run", write_config(tmp_path, 4002, AAPL))
    assert code == 1
    assert len(errors.splitlines()) == 1
    assert str(tmp_path / "data") in errors


def test_a_port_in_use_is_said_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, errors = ran("simulate", "--port", port)
    assert code == 1
    assert str(port) in errors
    assert len(errors.splitlines()) == 1


def test_a_second_recorder_on_the_same_root_is_told_who_has_it(tmp_path):
    async def story():
        async with scripted(one_price) as gateway:
            config = write_config(tmp_path, gateway.port, AAPL)
            first = await start("run", str(config))
            await until(lambda: gateway.conversations and gateway.conversations[0].asked)
            second = await run("run", str(config))
            recovery = await run("recover", str(tmp_path / "data"))
            first.kill()
            await first.communicate()
            third = await run("recover", str(tmp_path / "data"))
            return first.pid, second, recovery, third

    pid, second, recovery, third = asyncio.run(story())
    for code, _, errors in (second, recovery):
        assert code == 1
        assert f"in use by process {pid}" in errors
    assert third[0] == 0
    assert "1 segment: 1 row of market data, " in third[1]
    assert table(tmp_path / "data", "level1")["price"].tolist() == [5.0]
    assert segments(tmp_path / "data") == []


def test_simulate_serves_until_interrupted(tmp_path):
    async def story():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        simulator = await start("simulate", "--port", str(port), "--rate", "50")
        config = write_config(tmp_path, port, AAPL)
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        answer = await run("check", str(config), "--connect")
        simulator.send_signal(signal.SIGINT)
        _, errors = await simulator.communicate()
        return answer, errors.decode()

    (code, output, errors), said = asyncio.run(story())
    assert (code, errors) == (0, "")
    assert "265598" in output
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "99999"), "--port 99999: must be a whole number from 0 to 65535"),
        (("--port", "x"), "--port x: must be a whole number from 0 to 65535"),
        (("--seed", "1.5"), "--seed 1.5: must be a whole number from 0 to "),
        (("--rate", "-3"), "--rate -3: no rate; a positive number, or max"),
        (("--rate", "nan"), "--rate nan: no rate; a positive number, or max"),
    ],
)
def test_what_simulate_cannot_do_is_one_line_and_exit_2(words, said):
    code, output, errors = ran("simulate", *words)
    assert (2, "", 1) == (code, output, len(errors.splitlines()))
    assert errors.startswith(said)


def test_simulate_says_each_step_as_it_plays_it(tmp_path):
    script = tmp_path / "script.yaml"
    script.write_text("- {at: 0.2, do: lost}\n- {at: 0.4, do: restored, data: kept}\n- {at: 60, do: drop}\n")

    async def story():
        simulator = await start("simulate", "--port", "0", "--script", str(script))
        said = [(await asyncio.wait_for(simulator.stderr.readline(), 20)).decode() for _ in range(2)]
        simulator.send_signal(signal.SIGINT)
        return said, (await simulator.communicate())[1].decode()

    said, more = asyncio.run(story())
    expected = ["      0.2 s  {at: 0.2, do: lost}\n", "      0.4 s  {at: 0.4, do: restored, data: kept}\n"]
    assert expected == said
    assert "drop" not in more


def test_a_script_that_names_what_is_not_there_is_one_line(tmp_path):
    script = tmp_path / "script.yaml"
    script.write_text("- {at: 1, do: mute, symbol: AAPPL}\n")
    code, _, errors = ran("simulate", "--port", "0", "--script", script)
    assert (1, f"{script}:1: mute: the market knows no AAPPL; did you mean AAPL?\n") == (code, errors)


def test_the_demo_says_what_is_missing(demo):
    assert " lines had holes; missing: " in demo.output
    assert " of what was asked for (" in demo.output


def test_the_demo_records_every_table_but_other(demo):
    assert (demo.code, demo.errors) == (0, "")
    names = "level1 trades quotes midpoints depth greeks bars events gaps instruments".split()
    assert {name: len(table(demo.root, name)) > 0 for name in names} == dict.fromkeys(names, True)
    assert table(demo.root, "other").empty
    assert segments(demo.root) == []


def test_a_demo_that_is_stopped_ends_at_once_and_shows_what_there_is(tmp_path):
    async def story():
        process = await start("demo", "--seconds", "60", "--root", str(tmp_path / "data"))
        await until(lambda: segments(tmp_path / "data"))
        await asyncio.sleep(2)
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), 20)
        return process.returncode, output.decode(), errors.decode()

    code, output, errors = asyncio.run(story())
    assert (code, errors) == (0, "")
    assert "import recorder" in output
    assert segments(tmp_path / "data") == []


@pytest.mark.parametrize("given", ["nan", "-1", "0", "inf", "1e308"])
def test_a_demo_lasts_a_time_that_there_is(given, tmp_path):
    code, _, errors = ran("demo", f"--seconds={given}", "--root", tmp_path / "data")
    assert (2, f"--seconds {float(given):g}: must be a number above 0, up to 86400\n") == (code, errors)


def test_the_lines_that_the_demo_prints_work_as_pasted(demo):
    pasted = demo.output[demo.output.index("import recorder") :]
    code, answer, problems = asyncio.run(python(_printing(pasted), "/"))
    assert (code, problems) == (0, "")
    assert "EURUSD" in answer


def _printing(pasted):
    """As in the interactive interpreter: what is an expression shows its value."""
    lines = [line.partition("  #")[0] for line in pasted.splitlines() if line.strip()]
    return "\n".join(line if line.startswith(("import", "db =")) else f"print({line})" for line in lines)
