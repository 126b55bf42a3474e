"""Historical ticks: what the messages say, when they may be asked for, and that every question ends."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutated import mutated
from scripted import scripted

from recorder.capture.gateway import Gateway
from recorder.capture.history import History, HistoryError, Pacing, decoded
from recorder.wire.layouts import TICKS, frame

CONTRACT = {"conId": 265598, "exchange": "SMART", "symbol": "AAPL", "secType": "STK", "currency": "USD"}
TRADES = frame(
    "98", "7", "2", "100", "2", "187.25", "3", "ARCA", " F  ", "101", "0", "1.0E-4", "8.7e-05", "", "", "1"
)


def texts(ticks):
    return [tick.texts for tick in ticks]


def test_a_trade_has_the_fields_its_live_message_would_have_had():
    ticks, done = decoded(TRADES)
    assert [("100", "187.25", "3", "2", "ARCA", " F  "), ("101", "1.0E-4", "8.7e-05", "0", "", "")] == texts(
        ticks
    )
    assert [(100, 187.25, 3.0, 2, "ARCA", " F  "), (101, 1e-4, 8.7e-5, 0, None, None)] == [
        t.values for t in ticks
    ]
    assert ["ts_event", "price", "size", "attribs", "exchange", "conditions"] == [
        field.name for field in TICKS["trades"]
    ]
    assert done


def test_the_two_bits_of_a_quotes_mask_are_put_back_in_the_order_of_the_live_ones():
    ticks = [part for mask in "0123" for part in ("5", mask, "1.0", "1.5", "7", "8")]
    found, _ = decoded(frame("97", "7", "4", *ticks, "1"))
    assert ["0", "2", "1", "3"] == [tick.texts[-1] for tick in found]
    assert (5, 1.0, 1.5, 7.0, 8.0, 2) == found[1].values


def test_a_midpoint_is_its_second_and_its_price():
    found, done = decoded(frame("96", "7", "1", "5", "0", "1.25", "0", "0"))
    assert ([("5", "1.25")], [(5, 1.25)], False) == (texts(found), [tick.values for tick in found], done)


@pytest.mark.parametrize(
    "message",
    [
        frame("98", "7", "2", "100", "0", "187.25", "3", "ARCA", "", "1"),
        frame("98", "7", "1", "noon", "0", "187.25", "3", "ARCA", "", "1"),
        frame("98", "7", "1", "100", "0", "cheap", "3", "ARCA", "", "1"),
        frame("98", "7", "x", "1"),
        frame("98", "7", "9" * 5000, "1"),
        frame("98", "7", "1", "9" * 5000, "0", "187.25", "3", "ARCA", "", "1"),
        frame("98", "7", "1", "9" * 11, "0", "187.25", "3", "ARCA", "", "1"),
        frame("98", "7", "1", "100", "0", "Infinity", "3", "ARCA", "", "1"),
        frame("98", "7", "1", "100", "0", "1.0", "NaN", "ARCA", "", "1"),
        frame("98", "7", "1", "100", "0", "1e999", "3", "ARCA", "", "1"),
        frame("98", "7", "1", "1_0", "0", "1.0", "3", "ARCA", "", "1"),
        frame("98", "7", "1", "", "0", "1.0", "3", "ARCA", "", "1"),
        frame("98", "7", "-1", "1"),
        frame("98", "7"),
    ],
)
def test_what_does_not_read_is_refused(message):
    with pytest.raises(ValueError):
        decoded(message)


class Listener:
    """Hands frames and errors to the history, as a session does."""

    history = None

    def received(self, data):
        frames = []
        while data:
            end = 4 + int.from_bytes(data[:4], "big")
            frames.append(data[:end])
            data = data[end:]
        return [one for one in frames if self.history is None or not self.history.take(one)]

    def said(self, req, code, text):
        if self.history:
            self.history.said(req, code, text)

    def closed(self, reason):
        if self.history:
            self.history.close(reason)

    def failed(self, error):
        raise error


def asked(answers, timeout=5.0, stream="trades"):
    """What comes of one question; ``answers``: frames as functions of the request id, None: hang up."""
    said = []

    async def story():
        async def nothing(*_):
            pass

        async with scripted(nothing) as server:
            answer = server._answer

            async def talk(conversation, fields):
                if fields and fields[0] == "96":
                    said.append(fields)
                    for one in answers:
                        conversation.writer.close() if one is None else conversation.send(one(fields[1]))
                else:
                    await answer(conversation, fields)

            server._answer = talk
            listener = Listener()
            gateway = Gateway(listener)
            await gateway.connect("127.0.0.1", server.port, 3, 5)
            listener.history = History(gateway, timeout)
            try:
                return await listener.history.ask(CONTRACT, 1_795_366_800, stream)
            finally:
                assert not listener.history._ended
                gateway.drop("done")

    return asyncio.run(story()), said


def error(code, text):
    return lambda req: frame("4", "2", req, str(code), text, "")


def test_a_question_says_contract_second_number_and_kind():
    ticks, (said,) = asked([lambda req: TRADES.replace(b"98\x007\0", b"98\0" + req.encode() + b"\0")])
    assert 2 == len(ticks)
    assert ["265598", "20261122 17:00:00 UTC", "", "1000", "TRADES", "0", "0"] == [said[2], *said[15:21]]


def test_an_answer_in_several_messages_is_one():
    def part(done):
        return lambda req: frame("96", req, "1", "5", "0", "1.25", "0", done)

    ticks, _ = asked([part("0"), part("0"), part("1")], stream="midpoints")
    assert 3 == len(ticks)


def test_that_there_is_no_data_is_an_answer_without_ticks():
    failed = error(
        162, "Historical Market Data Service error message:HMDS query returned no data: AAPL@SMART"
    )
    assert [] == asked([failed])[0]


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ([error(321, "Error validating request")], 321, "validating"),
        ([error(162, "HMDS server disconnect occurred")], 162, "disconnect"),
        ([], None, "did not answer within 0.3 s"),
        ([lambda req: frame("98", req, "1", "soon", "1")], None, "do not read"),
    ],
)
def test_every_question_ends(answers, code, words):
    with pytest.raises(HistoryError, match=words) as failed:
        asked(answers, timeout=0.3)
    assert code == failed.value.code


def test_a_lost_connection_ends_every_question():
    with pytest.raises(ConnectionError):
        asked([None], timeout=30)


def test_ticks_nobody_waits_for_are_dealt_with_too():
    history = History(None, 1)
    strange = frame("97"), frame("98", "9" * 5000, "0", "1")
    assert [True, True, True] == [history.take(one) for one in (TRADES, *strange)]
    assert not history.take(frame("99", "1"))


QUOTES = frame("97", "7", "1", "5", "2", "1.0", "1.5", "7", "8", "1")


@given(st.one_of(mutated(TRADES), mutated(QUOTES)))
def test_whatever_a_gateway_sends_reads_or_is_refused_and_never_a_surprise(message):
    try:
        ticks, _ = decoded(message)
    except ValueError:
        ticks = []
    for one in ticks:
        assert 0 <= one.second < 10**10
        assert all(math.isfinite(value) for value in one.values if isinstance(value, float))
    assert History(None, 1).take(message)


ALIKE = (1, "SMART", "trades")


def moments(alikes, stream_of=lambda _: ALIKE, second_of=lambda n: n):
    """When each of so many questions may be asked, all as soon as they may."""
    pacing, now, at = Pacing(), 0.0, []
    for number in range(alikes):
        now += pacing.wait(now, stream_of(number), second_of(number))
        assert pacing.wait(now, stream_of(number), second_of(number)) == pytest.approx(0)
        pacing.asked(now, stream_of(number), second_of(number))
        at.append(now)
    return at


def most(at, window, weight=1):
    """The most questions in any stretch of so many seconds."""
    return max(sum(begin <= one <= begin + window for one in at) * weight for begin in at)


def test_the_same_is_not_asked_within_15_seconds():
    first, second = moments(2, second_of=lambda _: 5)
    assert second - first > 15


def test_fewer_than_6_alike_are_asked_within_2_seconds():
    at = moments(40)
    assert 5 == most(at, 2)
    assert 5 == at.count(0.0)


def test_other_contracts_do_not_count_as_alike():
    assert [0.0] * 30 == moments(30, stream_of=lambda number: (number // 5, "SMART", "trades"))


def test_60_are_asked_in_10_minutes_and_quotes_count_twice():
    def spread(stream):
        return lambda number: (number, "SMART", stream)

    assert 60 == most(moments(150, spread("trades")), 600)
    assert 60 == most(moments(80, spread("quotes")), 600, weight=2)
    assert 4 == most(moments(8, lambda _: (1, "SMART", "quotes")), 2, weight=2)
