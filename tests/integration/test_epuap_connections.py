"""Connections to ePUAP: shared by questions, never by an effect that could then be sent twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from connectors.http import AnswerLost, Http, HttpOptions, NotSent
from connectors.kept import Use
from gateway import poll
from gateway.simulate.offices.client import Office
from schemas.errors import ServiceUnsettled
from tests.builders import a_signed_document
from tests.epuap_clients import Epuap, outgoing
from tests.servers.dropping import Dropping, dropping
from tests.waiting import wait_until

IDLE_S = 60.0  # after which this ePUAP closes a connection: no test is that slow
EPUAP = ("--keep-alive", str(IDLE_S))


@pytest.fixture
def epuap(office: Office) -> Iterator[Epuap]:
    """Our clients, keeping connections longer than this ePUAP likes."""
    http = Http(HttpOptions(timeout_s=30.0), keep_alive_s=30.0)
    yield Epuap(office, http=http)
    http.close()


def new_connections(office: Office, before: int) -> int:
    return office.connections() - before


def test_many_questions_go_over_one_connection(epuap, office):
    box, before = epuap.pull, office.connections()
    for _ in range(20):
        assert box.waiting() == 0
    assert new_connections(office, before) == 1


def test_draining_a_box_does_not_connect_for_every_call(epuap, office, gateway):
    for _ in range(5):
        epuap.citizen_sends(a_signed_document("letter"))
    before = office.connections()
    assert poll.drain(epuap.pull, gateway.tools, threading.Event()) == 5
    assert new_connections(office, before) == 1  # for 11 calls


def test_each_effect_has_a_connection_of_its_own(epuap, office):
    sender, before = epuap.sender, office.connections()
    for _ in range(3):
        sender.submit(outgoing())
    assert new_connections(office, before) == 3


def test_without_a_time_to_keep_them_no_connection_is_kept(epuap, office):
    plain, before = Epuap(office), office.connections()
    for _ in range(3):
        plain.pull.waiting()
    assert new_connections(office, before) == 3


def test_a_connection_the_other_side_closed_meanwhile_costs_nothing(tmp_path):
    http = Http(HttpOptions(timeout_s=30.0), keep_alive_s=600.0)
    with Office("epuap", tmp_path, "--keep-alive", "0.1") as hasty:
        box, before = Epuap(hasty, http=http).pull, hasty.connections()
        box.waiting()
        wait_until(lambda: hung_up(hasty))
        assert box.waiting() == 0
        assert new_connections(hasty, before) == 2
    http.close()


def hung_up(office: Office) -> bool:
    """Has it closed a connection that we still hold?"""
    ours = psutil.Process().net_connections("tcp")
    return any(one.raddr and one.raddr.port == office.port and one.status == psutil.CONN_CLOSE_WAIT for one in ours)


def test_one_that_lay_idle_too_long_is_not_used_again(office):
    http = Http(HttpOptions(timeout_s=30.0), keep_alive_s=0.05)
    box, before = Epuap(office, http=http).pull, office.connections()
    box.waiting()
    time.sleep(0.1)
    box.waiting()
    http.close()
    assert new_connections(office, before) == 2


# --- closed while the next request is on its way ----------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Dropping]:
    """Answers the first request of a connection, and hangs up on the second after reading it."""
    with dropping() as started:
        yield started


@pytest.fixture
def http() -> Iterator[Http]:
    kept = Http(HttpOptions(timeout_s=30.0), keep_alive_s=30.0)
    yield kept
    kept.close()


def test_a_question_lost_on_a_kept_connection_is_asked_once_more_on_a_new_one(server, http):
    for number in range(1, 4):
        assert http.send("POST", server.url, content=b"?", use=Use.QUESTION).content == b"answer"
        assert server.connections == number
    assert server.requests == 5  # the second and third question were each read twice


def test_an_effect_that_may_use_a_kept_connection_is_never_sent_twice(server, http):
    http.send("POST", server.url, content=b"?", use=Use.QUESTION)
    with pytest.raises(AnswerLost):  # not NotSent: the other side read it
        http.send("POST", server.url, content=b"!", use=Use.KEPT)
    assert (server.requests, server.connections) == (2, 1)
    assert http.send("POST", server.url, content=b"!", use=Use.KEPT).content == b"answer"


def test_an_effect_never_meets_a_connection_that_could_be_dead(server, http):
    http.send("POST", server.url, content=b"?", use=Use.QUESTION)
    assert http.send("POST", server.url, content=b"!").content == b"answer"
    assert (server.requests, server.connections) == (2, 2)


def test_a_question_is_not_asked_a_third_time(server, http):
    http.send("POST", server.url, content=b"?", use=Use.QUESTION)
    server.hang_up_on_all = True
    with pytest.raises(AnswerLost):
        http.send("POST", server.url, content=b"?", use=Use.QUESTION)
    assert server.requests == 3


def test_with_nobody_listening_any_more_nothing_is_in_doubt(http):
    with dropping() as server:
        http.send("POST", server.url, content=b"?", use=Use.QUESTION)
    with pytest.raises(NotSent):
        http.send("POST", server.url, content=b"!")


def test_a_confirmation_whose_connection_died_is_said_once_and_the_queue_tells(epuap, office, gateway):
    epuap.citizen_sends(a_signed_document("letter"))
    before = len(office.effects("confirmed"))
    office.tell("hang_up_after_storing", times=1, match="Potwierdz")
    with pytest.raises(ServiceUnsettled):
        poll.take_one(epuap.pull, gateway.tools)
    assert len(office.effects("confirmed")) == before + 1
    assert epuap.pull.next() is None
