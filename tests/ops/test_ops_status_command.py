"""`ib-recorder status` as a user types it."""

import asyncio
import json
import re
import signal
import socket

import pytest
from board import free_port, get, impatient, told, write_shown
from daemon import recording, run, until, write_config
from scripted import scripted

AAPL = "{type: stock, symbol: AAPL}"


@pytest.fixture
def nobody():
    """There is a recorder at the default address where one is at work on this machine."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 9478)) == 0:
            pytest.skip("something listens at 127.0.0.1:9478")


async def silent(_conversation, _req, _fields):
    """Nothing comes."""


def test_the_running_recorder_is_shown_and_no_other_is_taken_for_it(tmp_path):
    other = tmp_path / "other"
    other.mkdir()

    async def story():
        port = free_port()
        async with scripted(silent) as gateway:
            config = write_shown(tmp_path, gateway.port, AAPL, listen=f"127.0.0.1:{port}")
            foreign = write_shown(other, gateway.port, AAPL, listen=f"127.0.0.1:{port}")
            async with impatient(config):
                await told(port, lambda found: found["recording"])
                asked = [(str(config),), (str(config), "--format", "json"), (str(foreign),)]
                shown = await asyncio.gather(*(run("status", *words) for words in asked))
            return shown, await run("status", str(config))

    (text, as_json, foreign), over = asyncio.run(story())
    assert (0, "") == (text[0], text[2])
    assert text[1].startswith("connected, 1 stream of 1 line\n")
    assert "AAPL" in text[1]
    assert (0, "") == (as_json[0], as_json[2])
    assert ("ib-recorder", "online") == tuple(json.loads(as_json[1])[name] for name in ("program", "phase"))
    assert (1, f"no recorder that records to {other / 'data'} runs: ") == (
        foreign[0],
        foreign[2].split("the ")[0],
    )
    assert f"the recorder of {tmp_path / 'data'} answers" in foreign[2]
    assert (1, "") == over[:2]
    assert "none answers at 127.0.0.1" in over[2]
    assert 1 == len(over[2].splitlines())


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\n\r\n[]", b"HTTP/1.1 200 OK\r\n\r\n{}"]
)
def test_another_program_at_its_address_is_told_from_it(tmp_path, banner):
    async def speak(reader, writer):
        await reader.readline()
        writer.write(banner)
        writer.close()

    async def story():
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return port, await run(
                "status", str(write_shown(tmp_path, 4002, AAPL, listen=f"127.0.0.1:{port}"))
            )

    port, (code, output, errors) = asyncio.run(story())
    assert (1, "") == (code, output)
    assert errors.endswith(f"another program answers on 127.0.0.1:{port}\n")
    assert 1 == len(errors.splitlines())


def test_a_recorder_of_another_version_is_understood_as_far_as_it_goes(tmp_path):
    async def speak(reader, writer):
        await reader.readline()
        said = {"program": "ib-recorder", "version": "9", "root": str(tmp_path / "data"), "words": "all new"}
        writer.write(f"HTTP/1.1 200 OK\r\n\r\n{json.dumps(said)}".encode())
        writer.close()

    async def story():
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await run("status", str(write_shown(tmp_path, 4002, AAPL, listen=f"127.0.0.1:{port}")))

    assert (0, "running, as another version than this command: all new\n", "") == asyncio.run(story())


def test_with_its_page_off_the_lock_tells_whether_it_runs(tmp_path):
    async def story():
        config = write_config(tmp_path, free_port(), AAPL)
        before = await run("status", str(config))
        async with recording(config) as process:
            await until(lambda: list((tmp_path / "data" / "journal").glob("*.journal")))
            during = await asyncio.gather(
                run("status", str(config)), run("status", str(config), "--format", "json")
            )
        return process.pid, before, during, await run("status", str(config))

    pid, before, (text, as_json), after = asyncio.run(story())
    assert [(1, ""), (1, "")] == [before[:2], after[:2]]
    assert "its page is off" in after[2]
    assert (0, f"running as process {pid}, recording to {tmp_path / 'data'}; ") == (
        text[0],
        text[1].split("no more")[0],
    )
    assert {"running": True, "pid": str(pid), "why": "its page is off (status.listen: null)"} == json.loads(
        as_json[1]
    )


def test_what_is_wrong_in_the_config_is_told_and_the_recorder_asked_all_the_same(tmp_path):
    async def story():
        port = free_port()
        async with scripted(silent) as gateway:
            config = write_shown(tmp_path, gateway.port, AAPL, listen=f"127.0.0.1:{port}")
            async with impatient(config):
                await told(port, lambda found: found["recording"])
                config.write_text(config.read_text() + "  - {type: stok, symbol: MSFT}\n")
                during = await run("status", str(config))
            return during, await run("status", str(config))

    during, over = asyncio.run(story())
    assert (0, 1) == (during[0], over[0])
    assert during[1].startswith("connected, 1 stream of 1 line\n")
    assert "watchlist[1].type: " in during[2]
    assert 1 == len(during[2].splitlines())
    first, second = over[2].splitlines()
    assert first == during[2].rstrip()
    assert second.startswith(f"no recorder that records to {tmp_path / 'data'} runs: none answers at ")


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("status: {listen: yes}\nstorage: 5\n", "status.listen"),
        ("- [", "not YAML"),
        ("", "is empty"),
        (None, "cannot be read"),
    ],
)
def test_of_a_config_that_says_nothing_right_the_default_address_is_asked_and_no_verdict_given(
    tmp_path, content, said
):
    config = tmp_path / "config.yaml"
    if content is not None:
        config.write_text(content)

    async def story():
        return await asyncio.gather(
            run("status", str(config)), run("status", str(config), "--format", "json")
        )

    (code, output, errors), as_json = asyncio.run(story())
    assert (1, "") == (code, output)
    *wrong, asked, answer = errors.splitlines()
    assert all(re.match(rf"{config}:\d+:\d+: ", line) for line in wrong)
    assert said in "".join(wrong)
    where = "asking at the default, 127.0.0.1:9478, where another may answer"
    assert f"{config} does not say where its recorder can be asked: {where}" == asked
    elsewhere = f"whether one runs elsewhere can be told when {config} is right"
    assert f"none answers at 127.0.0.1:9478; {elsewhere}" == answer
    assert (1, None) == (as_json[0], json.loads(as_json[1])["running"])


def test_of_a_config_whose_storage_is_wrong_its_own_address_is_asked(tmp_path):
    config = tmp_path / "config.yaml"
    port = free_port()
    config.write_text(f'storage: 5\nstatus: {{listen: "127.0.0.1:{port}"}}\nwatchlist: [{AAPL}]\n')
    code, output, errors = asyncio.run(run("status", str(config)))
    wrong, answer = errors.splitlines()
    assert (1, "") == (code, output)
    assert wrong.startswith(f"{config}:1:10: storage: ")
    assert answer.startswith(f"none answers at 127.0.0.1:{port}; whether one runs elsewhere ")


@pytest.mark.usefixtures("nobody")
def test_of_a_config_that_says_where_it_records_to_the_lock_tells_whether_it_runs(tmp_path):
    async def story():
        config = write_config(tmp_path, free_port(), AAPL)
        async with recording(config) as process:
            await until(lambda: list((tmp_path / "data" / "journal").glob("*.journal")))
            config.write_text(config.read_text().replace("{listen: null}", "{listen: 5}"))
            during = await run("status", str(config))
        return process.pid, during, await run("status", str(config))

    pid, during, over = asyncio.run(story())
    assert (0, f"running as process {pid}, recording to {tmp_path / 'data'}; ") == (
        during[0],
        during[1].split("no more")[0],
    )
    assert "asking at the default, 127.0.0.1:9478, where another may answer\n" in during[2]
    assert (1, "") == over[:2]


@pytest.mark.usefixtures("nobody")
def test_without_a_config_and_a_recorder_it_says_whom_it_asked():
    expected = (1, "", "none answers at 127.0.0.1:9478; name the config file of another\n")
    assert expected == asyncio.run(run("status"))


def test_only_what_is_in_the_watchlist_has_open_gaps(tmp_path):
    async def story():
        port = free_port()
        async with scripted(silent) as gateway:
            lines = (AAPL, "{type: stock, symbol: MSFT}")
            config = write_shown(tmp_path, gateway.port, *lines, listen=f"127.0.0.1:{port}")
            async with impatient(config) as (process, _):
                await told(port, lambda found: found["recording"] == 2)
                write_shown(tmp_path, gateway.port, AAPL, listen=f"127.0.0.1:{port}")
                process.send_signal(signal.SIGHUP)
                found = await told(port, lambda found: found["streams"] == 1)
                await until(lambda: len(gateway.conversations[0].cancelled) == 1)
                await asyncio.sleep(1)
                shown = await run("status", str(config))
                page = await get(port, "/")
                covered = await run("coverage", str(tmp_path / "data"), "--format", "json")
        return found, shown[1], page[1], json.loads(covered[1])

    found, shown, page, covered = asyncio.run(story())
    assert [] == found["gaps"]
    assert "gaps open: 0" in shown
    assert "Gaps open" not in page
    aapl, msft = covered["streams"]
    assert (True, False) == (aapl["removed"] is None, msft["removed"] is None)
    assert (None, 0.0) == (msft["open_gap"], msft["missing_seconds"])
    assert msft["recorded_seconds"] < aapl["recorded_seconds"] - 0.9
    assert (1, "nothing is missing of 1 line") == (covered["summary"]["lines"], covered["summary"]["text"])
