"""The daemon: runs when they are due, one at a time, drains, reloads, survives kills, and shows what it does."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
import requests

from daemons import NotifySocket, labels, wait_until, write_config
from locations import MIB

#: Nothing is due within a test but what has never run.
RARELY = {"cron": "0 0 1 1 *"}


def pair(source, target, schedule=None, **more):
    return {"source": source.url, "target": target.url, "schedule": schedule or RARELY, **more}


@pytest.fixture
def slow(sim, source):
    def make(milliseconds=1500):
        return sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=milliseconds)

    return make


def test_a_new_pair_is_copied_at_once_and_shown_everywhere(serve, source, target):
    source.fill({f"k{number}": os.urandom(1000) for number in range(7)})
    daemon = serve({"pairs": {"p": pair(source, target)}})
    shown = daemon.wait_for_run()
    assert target.visible() == source.visible()
    assert shown["state"] == "in_step" and shown["last_run"]["copied_objects"] == 7 and shown["source_objects"] == 7
    metrics = daemon.metrics()
    p = {"pair": "p"}
    assert metrics["lockstep_objects_total", labels(**p, result="copied")] == 7
    assert metrics["lockstep_bytes_total", labels(**p, direction="copied")] == 7000
    assert metrics["lockstep_runs_total", labels(**p, kind="sync", result="success")] == 1
    assert metrics["lockstep_pair_source_objects", labels(**p)] == 7
    assert metrics["lockstep_pair_last_exit_code", labels(**p)] == 0
    assert metrics["lockstep_pair_running", labels(**p)] == 0
    assert 0 <= metrics["lockstep_pair_replication_lag_seconds", labels(**p)] < 60
    assert abs(metrics["lockstep_pair_last_success_timestamp_seconds", labels(**p)] - time.time()) < 60
    assert metrics["lockstep_pair_next_run_timestamp_seconds", labels(**p)] > time.time()
    assert metrics["lockstep_requests_total", labels(**p, side="source", operation="read")] == 7
    # One write more: the probe of conditional writes replaces its own object.
    for side, operation, count in [("source", "read", 7), ("target", "write", 8)]:
        parts = labels(**p, side=side, operation=operation)
        assert metrics["lockstep_part_duration_seconds_count", parts] == count
        assert metrics["lockstep_part_duration_seconds_bucket", parts | {("le", "+Inf")}] == count
        assert metrics["lockstep_part_duration_seconds_sum", parts] > 0
    assert metrics["lockstep_config_last_reload_successful", labels()] == 1
    assert metrics["process_resident_memory_bytes", labels()] > 1e6
    assert abs(metrics["process_start_time_seconds", labels()] - time.time()) < 120
    [version] = [key for key in metrics if key[0] == "lockstep_build_info"]
    assert metrics[version] == 1
    assert daemon.get("/livez").text == "alive\n" and daemon.get("/readyz").status_code == 200
    ends = [line for line in daemon.lines if line.get("pair") == "p" and "sync ends: success" in line["message"]]
    assert len(ends) == 1 and len(ends[0]["trace_id"]) == 32 and len(ends[0]["span_id"]) == 16
    assert shown["last_run"]["trace_id"] == ends[0]["trace_id"]
    daemon.stop()


def test_promtool_finds_nothing_wrong_with_the_metrics(serve, source, target):
    source.put("k", b"x")
    daemon = serve({"pairs": {"p": pair(source, target)}})
    daemon.wait_for_run()
    checked = subprocess.run(["promtool", "check", "metrics"], input=daemon.get("/metrics").content, capture_output=True)
    assert checked.returncode == 0, checked.stderr


def test_a_run_that_takes_longer_than_its_period_is_not_run_beside_itself(sim, serve, source, target, slow):
    source.fill({f"k{number:03}": b"x" for number in range(60)})
    slow(2500)
    daemon = serve({"pairs": {"p": pair(source, target, {"cron": "* * * * *"}, limits={"concurrency": 1})}})
    skipped = ("lockstep_runs_skipped_total", labels(pair="p", reason="running"))
    wait_until(lambda: daemon.metrics()[skipped] >= 1, 75, lambda: daemon.text[-2000:])
    shown = daemon.pair()
    assert shown["running"]["kind"] == "sync" and shown["totals"]["runs"] == {}
    assert daemon.metrics()["lockstep_pair_running", labels(pair="p")] == 1
    assert len(daemon.messages("sync begins")) == 1
    assert daemon.messages("still under way")
    daemon.stop()


def test_what_passed_while_nobody_was_there_is_made_up_for_once(serve, lockstep, source, target):
    config = {"pairs": {
        "late": pair(source, target, {"every": "1h"}),
        "never": pair(source, target, {"every": "1h", "catch_up": False}),
    }}
    config["pairs"]["never"]["target"] = target.url + "other/"
    source.put("k", b"1")
    daemon = serve(config)
    daemon.wait_for_run("late")
    daemon.stop()
    # The hour in which it was to run again has passed since.
    record = lockstep.state / "pairs" / "late.json"
    text = json.loads(record.read_text())
    text["last_run"]["start"] -= 7200
    record.write_text(json.dumps(text))
    source.put("k", b"2")
    daemon = serve()
    daemon.wait_for_run("late", count=2)
    assert target.get("k") == b"2"
    assert "last_run" not in daemon.pair("never")
    assert daemon.messages("sync begins (catch_up)")
    daemon.stop()
    daemon = serve()
    assert daemon.get("/readyz").status_code == 200
    daemon.stop()
    assert not daemon.messages("sync begins"), "nothing was due"


def test_a_pair_that_is_behind_its_schedule_is_late_and_one_that_waits_for_its_window_is_not(serve, lockstep, source, target):
    source.put("k", b"1")
    hourly = {"every": "1h", "catch_up": False}
    names = ["p", "windowed", "unscheduled"]
    config = {"pairs": {name: {**pair(source, target, hourly), "target": f"{target.url}/{name}/"} for name in names}}
    del config["pairs"]["unscheduled"]["schedule"]
    path = lockstep.state.parent / "lockstep.yaml"
    write_config(path, config, path.parent)
    lockstep.run("run", "--config", path)
    for name in names:
        record = lockstep.state / "pairs" / f"{name}.json"
        text = json.loads(record.read_text())
        text["recovery_point"] -= 4 * 3600
        record.write_text(json.dumps(text))
    # No full hour is in the one minute in which this pair may run.
    config["pairs"]["windowed"]["windows"] = [{"from": "00:00", "to": "23:59", "rate": 0}]
    daemon = serve(config)
    shown = daemon.pairs()
    metrics = daemon.metrics()
    due = {name: metrics.get(("lockstep_pair_recovery_due_timestamp_seconds", labels(pair=name))) for name in names}
    assert shown["p"]["state"] == "late" and due["p"] < time.time() and due["p"] % 3600 == 0
    assert shown["windowed"]["state"] == "in_step", shown["windowed"]
    assert shown["unscheduled"]["state"] == "in_step" and due["unscheduled"] is None
    page = daemon.get("/").text
    assert page.count("Behind its schedule since") == 1 and "1 of 3 pairs needs attention" in page
    assert time.gmtime(metrics["lockstep_pair_next_run_timestamp_seconds", labels(pair="p")])[4:6] == (0, 0)
    assert ("lockstep_pair_next_run_timestamp_seconds", labels(pair="windowed")) not in metrics
    daemon.stop()


def test_a_terminated_daemon_parks_its_run_and_the_next_goes_on(sim, serve, source, target, slow):
    source.fill({f"k{number:02}": os.urandom(1000) for number in range(30)} | {"large": os.urandom(30 * MIB)})
    fault = slow(500)
    config = {"pairs": {"p": pair(source, target, limits={"concurrency": 4, "part_size": "5M"})}}
    daemon = serve(config)
    wait_until(lambda: len(target.keys()) >= 3)
    assert daemon.get("/readyz").status_code == 200
    assert daemon.stop() < 15
    assert sim.fired(fault) > 0
    assert daemon.messages("sync ends: interrupted")
    done = len(target.keys())
    assert done < 31
    sim.call("DELETE", "faults")
    daemon = serve()
    shown = daemon.wait_for_run()
    # What was finished stays finished.
    assert shown["last_run"]["copied_objects"] <= 31 - done + 1
    assert target.visible() == source.visible() and target.open_uploads() == []
    daemon.stop()


def test_a_killed_daemon_leaves_a_pair_that_the_next_one_completes(sim, serve, source, target, slow):
    source.fill({f"k{number:02}": os.urandom(1000) for number in range(20)} | {"large": os.urandom(20 * MIB)})
    slow(500)
    config = {"pairs": {"p": pair(source, target, limits={"concurrency": 4, "part_size": "5M"}, lease="2s")}}
    daemon = serve(config)
    wait_until(lambda: len(target.keys()) >= 2)
    daemon.stop(expect=-signal.SIGKILL, number=signal.SIGKILL)
    sim.call("DELETE", "faults")
    # The dead run's lease must have ended; a daemon that starts before is locked out once and tries again when it is due.
    time.sleep(2.5)
    daemon = serve()
    daemon.wait_for_run()
    assert target.visible() == source.visible()
    metrics = daemon.metrics()
    assert metrics["lockstep_pair_running", labels(pair="p")] == 0
    assert metrics["lockstep_runs_total", labels(pair="p", kind="sync", result="killed")] == 1
    assert metrics["lockstep_runs_total", labels(pair="p", kind="sync", result="success")] == 1
    daemon.stop()


def test_a_killed_run_is_a_failure_and_one_that_goes_on_is_not(serve, lockstep, tmp_path, source, target, slow):
    source.fill({f"k{number:02}": b"x" for number in range(20)})
    slow(5000)
    config = {"pairs": {"p": pair(source, target, limits={"concurrency": 1})}}
    write_config(tmp_path / "lockstep.yaml", config, tmp_path)
    run = lockstep.start("run", "--config", tmp_path / "lockstep.yaml")
    record = tmp_path / "state" / "pairs" / "p.json"
    wait_until(lambda: record.exists() and "running" in json.loads(record.read_text()))
    daemon = serve(config)
    # The daemon's own run finds the pair locked.
    shown = daemon.wait_for_run(result="locked")
    assert "killed" not in shown["totals"]["runs"]["sync"] and "last_run" not in shown
    assert daemon.metrics()["lockstep_pair_running", labels(pair="p")] == 1
    run.kill()
    run.wait()
    daemon.signal(signal.SIGHUP)
    shown = daemon.wait_for_run(result="killed")
    assert shown["state"] == "failing" and shown["consecutive_failures"] == 1
    assert shown["last_run"]["exit_code"] == 137 and f"process {run.pid} ended between" in shown["last_run"]["message"]
    assert daemon.metrics()["lockstep_pair_running", labels(pair="p")] == 0
    assert "Failing" in daemon.get("/").text
    daemon.stop()


def test_sighup_takes_a_good_configuration_and_keeps_the_old_one_instead_of_a_bad(serve, tmp_path, source, location):
    source.put("k", b"x")
    first, second = location("gs"), location("az")
    config = {"pairs": {"p": pair(source, first)}}
    daemon = serve(config)
    daemon.wait_for_run()
    path = tmp_path / "lockstep.yaml"
    good = ("lockstep_config_last_reload_successful", labels())

    path.write_text("version: 1\npairs:\n  p:\n    sourcee: s3://x\n")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.metrics()[good] == 0)
    assert daemon.pairs().keys() == {"p"} and daemon.get("/readyz").status_code == 200
    assert any("sourcee" in line["message"] for line in daemon.lines), daemon.text
    assert "was not taken" in daemon.get("/").text

    write_config(path, {"pairs": {"q": pair(source, second)}}, tmp_path)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.metrics()[good] == 1)
    assert daemon.pairs().keys() == {"q"}
    daemon.wait_for_run("q")
    assert second.visible() == source.visible()
    daemon.stop()


def test_a_reload_applies_what_it_can_and_names_what_needs_a_restart(serve, tmp_path, source, location, slow):
    source.fill({f"k{number}": b"x" for number in range(4)})
    slow(2500)
    first, second = location("gs"), location("az")
    config = {"pairs": {"p": pair(source, first, limits={"concurrency": 1})}, "serve": {"listen": "127.0.0.1:0"}}
    daemon = serve(config, arguments=())
    wait_until(lambda: daemon.pair().get("running"))
    (tmp_path / "metrics").mkdir()
    changed = {
        "pairs": {"q": pair(source, second, limits={"concurrency": 1})}, "serve": {"listen": "127.0.0.1:1"},
        "state": str(tmp_path / "elsewhere"), "metrics": {"textfile": str(tmp_path / "metrics")},
        "log": {"format": "json", "level": "warning"},
    }
    write_config(tmp_path / "lockstep.yaml", changed, tmp_path)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "q" in daemon.pairs())
    # The run goes on, and is shown until it has ended.
    assert daemon.pair("p")["state"] == "ending" and "next_run" not in daemon.pair("p")
    assert daemon.pair("p")["target"] == first.url + "/" and "running" in daemon.pair("p")
    wait_until(lambda: len(daemon.messages("until a restart")) == 2)
    assert [line["message"].split(": ")[1].split()[0] for line in daemon.messages("until a restart")] == ["serve.listen", "state"]
    page = daemon.get("/").text
    assert "Ending, removed from the configuration" in page
    assert "in use after a restart only: <code>serve.listen</code>, <code>state</code>." in page
    assert daemon.get("/api/pairs").json()["needs_restart"] == ["serve.listen", "state"]
    wait_until(lambda: "p" not in daemon.pairs())
    assert first.visible() == source.visible()
    daemon.wait_for_run("q")
    assert (tmp_path / "metrics" / "lockstep_q.prom").exists() and not (tmp_path / "elsewhere").exists()
    assert not [line for line in daemon.lines if line.get("pair") == "q" and line["level"] in ("info", "debug")]
    # What is again as it was needs no restart.
    write_config(tmp_path / "lockstep.yaml", {**changed, "serve": config["serve"], "state": str(tmp_path / "state")}, tmp_path)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.get("/api/pairs").json()["needs_restart"] == [])
    assert "after a restart only" not in daemon.get("/").text
    daemon.stop()


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_hears_how_it_is(serve, tmp_path, source, target, kind):
    source.put("k", b"x")
    name = str(tmp_path / "notify") if kind == "path" else f"@lockstep-{os.getpid()}-{time.monotonic_ns()}"
    manager = NotifySocket(name if kind == "path" else "\0" + name[1:])
    daemon = serve(
        {"pairs": {"p": pair(source, target)}}, environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000"})
    wait_until(lambda: manager.heard("READY"))
    wait_until(lambda: len(manager.heard("WATCHDOG")) >= 3)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.signal(signal.SIGHUP)
    [reloading] = wait_until(lambda: manager.heard("RELOADING"))
    assert 0 <= int(reloading["MONOTONIC_USEC"]) - before < 10_000_000
    wait_until(lambda: len(manager.heard("READY")) == 2)
    assert not manager.heard("STOPPING")
    daemon.stop()
    wait_until(lambda: manager.heard("STOPPING"))
    assert all("STATUS" in message for message in manager.heard("READY"))


def test_what_is_tried_again_names_its_pair_and_its_wait(serve, sim, source, target):
    source.put("k", b"x")
    rule = sim.add_fault(action="status", cloud="s3", bucket=source.bucket, operation="GetObject", status=500, nth=1)
    daemon = serve({"pairs": {"p": pair(source, target)}})
    daemon.wait_for_run()
    assert sim.fired(rule) == 1
    [line] = daemon.messages("again in")
    assert line["pair"] == "p" and len(line["trace_id"]) == 32 and re.search(r"again in \d+(\.\d)? s: read k: ", line["message"])
    daemon.stop()


def test_a_secret_that_was_rotated_needs_no_reload_and_one_that_is_gone_fails_its_pair_only(serve, sim, tmp_path, source, location, slow):
    source.fill({f"k{number}": b"x" for number in range(3)})
    slow(1500)
    for name in ("first", "rotated", "gone"):
        (tmp_path / name).write_text(sim.s3["secretKey"] if name != "rotated" else "the-one-before")
    clouds = {
        name: {"type": "s3", "endpoint": sim.s3["endpoint"], "region": sim.s3["region"], "access_key_id": sim.s3["accessKey"],
               "secret_access_key": f"file:{name}"}
        for name in ("first", "rotated", "gone")
    }
    targets = {name: location("gs") for name in clouds}
    pairs = {
        name: {"source": {"location": source.url, "cloud": name}, "target": targets[name].url, "schedule": RARELY,
               "limits": {"concurrency": 1}}
        for name in clouds
    }
    # One after the other, in this order.
    daemon = serve({"clouds": clouds, "pairs": pairs, "serve": {"parallel_pairs": 1}})
    wait_until(lambda: daemon.pair("first").get("running"))
    (tmp_path / "rotated").write_text(sim.s3["secretKey"])
    wait_until(lambda: daemon.pair("rotated").get("running"))
    (tmp_path / "gone").unlink()
    shown = daemon.wait_for_run("gone", "configuration")
    assert targets["rotated"].visible() == source.visible() and daemon.pair("rotated")["state"] == "in_step"
    message = shown["last_run"]["message"]
    assert "clouds.gone.secret_access_key" in message and str(tmp_path / "gone") in message and shown["last_run"]["exit_code"] == 78
    assert daemon.get("/readyz").status_code == 200
    daemon.stop()


def test_one_broken_pair_does_not_stop_the_others(serve, source, location):
    source.put("k", b"x")
    target, other = location("gs"), location("az")
    daemon = serve({"pairs": {
        "broken": {"source": "s3://no-such-bucket-here/", "target": other.url, "schedule": RARELY},
        "p": pair(source, target),
    }})
    daemon.wait_for_run("p")
    shown = daemon.wait_for_run("broken", "configuration")
    assert shown["state"] == "failing" and shown["consecutive_failures"] == 1
    assert "no-such-bucket-here" in shown["last_run"]["message"] and "doctor" in shown["last_run"]["advice"]
    page = daemon.get("/").text
    assert "1 of 2 pairs needs attention" in page
    daemon.stop()


def test_a_port_that_is_taken_is_named(lockstep, tmp_path, source, target):
    taken = socket.create_server(("127.0.0.1", 0))
    path = tmp_path / "lockstep.yaml"
    write_config(path, {"pairs": {"p": pair(source, target)}}, tmp_path)
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    outcome = lockstep.run("serve", "--config", path, "--listen", address, expect=78)
    assert address in outcome.err and "--listen" in outcome.err


def test_strangers_do_not_harm_it(serve, source, target):
    source.put("k", b"x")
    daemon = serve({"pairs": {"p": pair(source, target)}})
    daemon.wait_for_run()
    host, port = daemon.url.removeprefix("http://").split(":")
    address = (host, int(port))

    def send(data, read=True):
        with socket.create_connection(address, timeout=10) as connection:
            try:
                connection.sendall(data)
                return connection.recv(65536) if read else b""
            except (ConnectionResetError, BrokenPipeError):
                return b""

    assert send(b"\x16\x03\x01\x02\x00" + os.urandom(300)).startswith((b"HTTP/1.1 400", b""))
    assert send(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 2_000_000 + b"\r\n\r\n").startswith((b"HTTP/1.1 400", b""))
    assert b" 405 " in send(b"POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc").split(b"\r\n")[0]
    assert b" 405 " in send(b"DELETE / HTTP/1.1\r\nhost: x\r\n\r\n").split(b"\r\n")[0]
    assert b" 404 " in send(b"GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n").split(b"\r\n")[0]
    head = requests.head(daemon.url + "/metrics", timeout=10)
    assert head.status_code == 200 and head.content == b"" and int(head.headers["content-length"]) > 1000
    answer = daemon.get("/")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert answer.headers["cache-control"] == "no-store"
    daemon.stop()


def test_those_who_only_hold_on_do_not_keep_others_away(serve, source, target):
    source.put("k", b"x")
    daemon = serve({"pairs": {"p": pair(source, target)}})
    daemon.wait_for_run()
    host, port = daemon.url.removeprefix("http://").split(":")
    with requests.Session() as scraper, contextlib.ExitStack() as held:
        assert scraper.get(daemon.url + "/livez", timeout=5).text == "alive\n"
        # Twice as many as it takes, half of them in the middle of a request.
        for number in range(256):
            connection = held.enter_context(socket.create_connection((host, int(port)), timeout=5))
            if number % 2:
                connection.sendall(b"GET /livez HTTP/1.1\r\nx-drip: ")
        assert daemon.get("/livez").text == "alive\n"
        assert daemon.get("/metrics").status_code == 200
        assert scraper.get(daemon.url + "/livez", timeout=5).text == "alive\n"
        # The last of them has its time, and no more for what it lets drip.
        wait_until(lambda: is_closed(connection), 40)
    daemon.stop()


def is_closed(connection):
    """Sends one more byte, and looks whether the other side is still there."""
    connection.settimeout(0.5)
    try:
        connection.sendall(b"y")
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except (ConnectionResetError, BrokenPipeError):
        return True
