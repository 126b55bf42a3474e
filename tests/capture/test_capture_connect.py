"""The ways a gateway does not answer, told apart, and what is said of each."""

import asyncio
import socket

import pytest

from recorder.capture.gateway import ConnectError, Gateway
from recorder.simulator import Simulator


class Deaf:
    """A listener that hands everything on to ib_async."""

    def received(self, data):
        return [data]

    def said(self, req, code, text):
        pass

    def closed(self, reason):
        pass

    def failed(self, error):
        raise error


def refusal(action, patience=1.0, **arguments):
    async def story():
        async with Simulator() as simulator:
            if action:
                await simulator.play(action, **arguments)
            began = asyncio.get_running_loop().time()
            with pytest.raises(ConnectError) as caught:
                await Gateway(Deaf()).connect("127.0.0.1", simulator.port, 17, patience)
            return caught.value, asyncio.get_running_loop().time() - began

    return asyncio.run(story())


def test_a_client_id_in_use_is_recognised_at_once():
    error, seconds = refusal("refuse_id", patience=10)
    assert error.code == 326
    assert "in use" in str(error)
    assert seconds < 3


def test_closed_at_once_is_recognised_at_once():
    error, seconds = refusal("close_at_once", patience=10)
    assert "closed the connection at once" in str(error)
    assert seconds < 3


def test_a_gateway_that_says_no_hello():
    error, _ = refusal("accept_but_silent")
    assert "accepted the connection and said no hello" in str(error)


@pytest.mark.parametrize("action", ["hello_then_nothing", "empty_accounts"])
def test_a_gateway_that_is_not_logged_in(action):
    error, _ = refusal(action)
    assert "is it logged in?" in str(error)


def test_nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def story():
        with pytest.raises(ConnectError) as caught:
            await Gateway(Deaf()).connect("127.0.0.1", port, 17, 1)
        return str(caught.value)

    assert f"nothing listens on 127.0.0.1:{port}" in asyncio.run(story())


def test_no_failed_attempt_leaves_a_socket_or_a_task_behind():
    async def story():
        async with Simulator() as simulator:
            await simulator.play("close_at_once", times=5)
            for _ in range(5):
                with pytest.raises(ConnectError):
                    await Gateway(Deaf()).connect("127.0.0.1", simulator.port, 17, 5)
            await asyncio.sleep(0.2)
            return len(simulator.links)

    assert asyncio.run(story()) == 0
