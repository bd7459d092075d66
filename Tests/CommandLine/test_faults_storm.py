"""A service that refuses everything for a while and then every third request: the run gets over it, and does not add to the storm."""

import time

import pytest

from faults import CLOUD, READ, WRITE
from locations import KINDS
from lockstep_binary import Lockstep
from test_interruption import wait_until

class Weather:
    """A server of its own with a pair of one cloud, because counts of requests are compared."""

    def __init__(self, launch, kind, directory, objects):
        self.kind, self.cloud, self.sim, self.objects = kind, CLOUD[kind], launch(), objects
        self.lockstep = Lockstep(directory, self.sim.environment)
        self.source = KINDS[kind].create(self.sim)
        self.sim.populate(self.cloud, self.source.scope, "k", objects, 1000)
        self.keys = self.source.keys()

    def start(self):
        self.target = KINDS[self.kind].create(self.sim)
        self.sim.call("DELETE", "requests")
        return self.lockstep.start("sync", self.source.url, self.target.url, "--json", "--state", self.lockstep.state)

    def storm(self, **rule):
        self.sim.call("DELETE", "faults")
        return self.sim.add_fault(action="status", cloud=self.cloud, status=503, **rule)

    def count(self, operation=None):
        requests = self.sim.requests(self.cloud)
        return requests.get(operation, 0) if operation else sum(requests.values())

    def finish(self, process):
        outcome = self.lockstep.finish(process, timeout=120)
        requests = self.count()
        self.sim.call("DELETE", "faults")
        assert outcome.status == 0, (outcome.named("failed"), outcome.err)
        assert outcome.summary["copied_objects"] == self.objects and self.target.keys() == self.keys
        for key in self.keys[::50]:
            assert self.target.get(key) == self.source.get(key)
        return requests


@pytest.fixture
def weathers(launch, tmp_path):
    """One for each cloud: their runs wait side by side."""

    def make(objects):
        made = []
        for kind in READ:
            directory = tmp_path / kind
            directory.mkdir()
            made.append(Weather(launch, kind, directory, objects))
        return made

    return make


def test_a_storm_that_ends(weathers):
    """Everything is refused for a second and a half in the middle of the work, then every third request until most of it is done."""
    weathers = weathers(800)
    calm = [weather.finish(weather.start()) for weather in weathers]
    runs = [weather.start() for weather in weathers]
    storms = []
    for weather, process in zip(weathers, runs):
        wait_until(lambda: weather.count(READ[weather.kind]) >= 100, process)
        storms.append(weather.storm())
    time.sleep(1.5)
    for weather, rule in zip(weathers, storms):
        assert weather.sim.fired(rule) > 1
        weather.rule = weather.storm(probability=0.3, seed=1)
    for weather, process in zip(weathers, runs):
        wait_until(lambda: weather.count(WRITE[weather.kind]) >= 530, process, seconds=60)
        assert weather.sim.fired(weather.rule) > 50
        weather.sim.call("DELETE", "faults")
    for weather, process, before in zip(weathers, runs, calm):
        stormy = weather.finish(process)
        print(f"{weather.kind}: {stormy} requests, {before} in calm weather, {stormy / before:.2f} times as many")
        assert stormy <= 1.5 * before


def test_a_storm_that_does_not_end(weathers):
    """Three of ten requests are refused from the first to the last: slower, and every object arrives in this run."""
    weathers = weathers(150)
    runs = []
    for weather in weathers:
        weather.storm(probability=0.3, seed=2)
        runs.append(weather.start())
    for weather, process in zip(weathers, runs):
        weather.finish(process)
