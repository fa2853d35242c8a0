"""Leases: of real processes that race, die and are paused, one may commit."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.errors import LeaseHeldError, LeaseLostError, TransientError
from infra.leases import Lease
from infra.processes import is_alive, machine, start_time
from infra.storage import Location, S3Options

ROOT = Path(__file__).parents[1]
TTL = 2.0
PROGRAM = """
import pickle, sys, time
from infra.errors import LeaseHeldError, LeaseLostError
from infra.leases import Lease
location = pickle.loads(bytes.fromhex(sys.argv[1]))
location.list()  # so that all start from the same line
print("ready", flush=True)
sys.stdin.readline()
try:
    lease = Lease.take(location, "store", owner="a test", ttl=float(sys.argv[2]))
except LeaseHeldError as error:
    print("held", str(error).splitlines()[0], flush=True)
    sys.exit()
with lease.kept():
    print("took", lease.fence, flush=True)
    for line in sys.stdin:
        try:
            lease.check()
            print("fine", flush=True)
        except LeaseLostError as error:
            print("lost", str(error).splitlines()[0], flush=True)
print("released", flush=True)
"""


class Driver:
    """A process that takes the lease when told, checks it when told, and releases it when its input closes."""

    def __init__(self, location: Location, *, ttl: float = TTL) -> None:
        command = [sys.executable, "-c", PROGRAM, pickle.dumps(location).hex(), str(ttl)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ask(self) -> str:
        self.go()
        return self.line()

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def drivers(location: Location) -> Iterator[list[Driver]]:
    made: list[Driver] = []
    yield made
    for driver in made:
        driver.process.kill()
        driver.end()


def test_of_eight_racing_processes_one_takes_the_lease(location: Location, drivers: list[Driver]) -> None:
    for _ in range(8):
        drivers.append(Driver(location))
    for driver in drivers:
        driver.go()
    said = [driver.line() for driver in drivers]
    assert sum(line.startswith("took 1") for line in said) == 1, said
    assert sum(line.startswith("held") for line in said) == 7, said
    assert [e.name for e in location.list("leases/store") if e.name.endswith(".json")] == ["leases/store/000001.json"]


def test_a_killed_holder_is_replaced_at_once(location: Location, drivers: list[Driver]) -> None:
    drivers += [Driver(location, ttl=600), Driver(location)]
    assert drivers[0].ask() == "took 1"
    with pytest.raises(LeaseHeldError, match=rf"a test \(process {drivers[0].process.pid} on"):
        Lease.take(location, "store", owner="other", ttl=TTL)
    drivers[0].process.send_signal(signal.SIGKILL)
    time.sleep(0.1)  # still a zombie: nobody has collected it
    assert drivers[1].ask() == "took 2"


def test_of_racing_processes_one_succeeds_a_killed_holder(location: Location, drivers: list[Driver]) -> None:
    drivers += [Driver(location, ttl=600) for _ in range(5)]
    assert drivers[0].ask() == "took 1"
    drivers[0].process.kill()
    drivers[0].end()
    for driver in drivers[1:]:
        driver.go()
    said = [driver.line() for driver in drivers[1:]]
    assert sorted(line.split()[0] for line in said) == ["held", "held", "held", "took"], said
    assert "took 2" in said


def test_a_paused_holder_learns_that_it_lost(location: Location, drivers: list[Driver]) -> None:
    drivers += [Driver(location), Driver(location)]
    assert drivers[0].ask() == "took 1"
    time.sleep(TTL * 1.5)
    assert drivers[0].ask() == "fine"  # its heartbeats kept it
    drivers[0].process.send_signal(signal.SIGSTOP)
    with pytest.raises(LeaseHeldError):
        Lease.take(location, "store", owner="too early", ttl=TTL)
    time.sleep(TTL + 1.5)
    assert drivers[1].ask() == "took 2"
    drivers[0].process.send_signal(signal.SIGCONT)
    assert drivers[0].ask().startswith("lost")
    time.sleep(TTL / 2)  # its thread goes on; it must not win anything back
    assert drivers[0].ask().startswith("lost")
    assert drivers[1].ask() == "fine"
    drivers[0].end()  # releasing what it no longer holds changes nothing
    assert drivers[1].ask() == "fine"


def test_a_higher_fence_is_seen_before_any_time_has_passed(location: Location) -> None:
    lease = Lease.take(location, "store", owner="first", ttl=600)
    lease.check()
    location.create("leases/store/000002.json", location.read("leases/store/000001.json"))
    with pytest.raises(LeaseLostError, match="fence 1 was taken over by fence 2: first"):
        lease.check()


def test_a_paused_holder_stops_itself_though_nobody_took_over(location: Location) -> None:
    lease = Lease.take(location, "store", owner="sleeper", ttl=0.3)
    lease.renew()
    time.sleep(0.4)
    for use in (lease.check, lease.renew):
        with pytest.raises(LeaseLostError, match="no heartbeat for"):
            use()


def test_a_released_lease_is_free_and_fences_only_rise(location: Location) -> None:
    for fence in (1, 2, 3):
        with Lease.take(location, "store", owner="me", ttl=600).kept() as lease:
            assert lease.fence == fence
            lease.check()
            Lease.take(location, "another store", owner="me", ttl=600).release()
        with pytest.raises(LeaseLostError, match="released"):
            lease.check()
    with pytest.raises(ZeroDivisionError), Lease.take(location, "store", owner="me", ttl=600).kept():
        1 / 0  # noqa: B018 -- a driver that fails
    assert Lease.take(location, "store", owner="me", ttl=600).fence == 5
    assert not [e.name for e in location.list() if "clock" in e.name]


def test_an_output_that_cannot_be_reached_costs_the_lease_and_is_named(tmp_path: Path, s3_bucket: Location) -> None:
    lease = Lease.take(s3_bucket, "store", owner="me", ttl=1.0)
    with socket.socket() as taken:  # a port where nobody listens
        taken.bind(("127.0.0.1", 0))
        away = S3Options(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        lease.place = Location(lease.place.url, away)
        with lease.kept():
            time.sleep(2.5)
            with pytest.raises(LeaseLostError) as caught:
                lease.check()
            lease.place = s3_bucket / "leases/store"
    assert isinstance(caught.value.__cause__, TransientError)


def test_a_process_is_known_by_its_start_not_by_its_number() -> None:
    mine = start_time(os.getpid())
    assert mine is not None
    assert is_alive(os.getpid(), mine)
    assert not is_alive(os.getpid(), "0")  # the number was used again
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = start_time(child.pid)
    assert started is not None
    child.kill()
    deadline = time.monotonic() + 5
    while start_time(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child.pid, started)  # though a zombie
    child.communicate()
    assert not is_alive(child.pid, started)
    assert machine() == machine()
