"""Metrics of runs from cron: a file per pair, whole at any moment, also when the run fails."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from daemons import labels, parse_metrics, write_config


def configure(tmp_path, pairs, **more):
    path = tmp_path / "lockstep.yaml"
    write_config(path, {"pairs": pairs, **more}, tmp_path)
    return path


def test_each_pair_has_its_own_file_and_leaves_others_alone(lockstep, tmp_path, source, location):
    source.fill({"a": b"1", "b": b"22"})
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    (metrics / "other.prom").write_text("other 1\n")
    path = configure(tmp_path, {name: {"source": source.url, "target": location("gs").url} for name in ("one", "two")})
    lockstep.run("run", "one", "--config", path, "--metrics-textfile", metrics)
    assert sorted(os.listdir(metrics)) == ["lockstep_one.prom", "other.prom"]
    lockstep.run("run", "--config", path, "--metrics-textfile", metrics)
    assert sorted(os.listdir(metrics)) == ["lockstep_one.prom", "lockstep_two.prom", "other.prom"]
    assert (metrics / "other.prom").read_text() == "other 1\n"
    one, two = (parse_metrics((metrics / f"lockstep_{name}.prom").read_text()) for name in ("one", "two"))
    assert one["lockstep_runs_total", labels(pair="one", kind="sync", result="success")] == 2
    assert two["lockstep_runs_total", labels(pair="two", kind="sync", result="success")] == 1
    assert one["lockstep_objects_total", labels(pair="one", result="copied")] == 2
    # What node_exporter reads from both together is free of doubles, and all of it belongs to a pair.
    assert not one.keys() & two.keys()
    assert all("pair" in dict(key[1]) for key in one)
    # Help and type of a metric are the same in both, or node_exporter refuses them.
    comments = [
        {line for line in (metrics / f"lockstep_{name}.prom").read_text().splitlines() if line.startswith("#")}
        for name in ("one", "two")
    ]
    assert comments[0] == comments[1]
    assert (metrics / "lockstep_one.prom").stat().st_mode & 0o777 == 0o644


def test_a_failed_run_writes_too(lockstep, tmp_path, target):
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    path = configure(
        tmp_path, {"p": {"source": "s3://no-such-bucket-here/", "target": target.url}}, metrics={"textfile": str(metrics)})
    lockstep.run("run", "--config", path, expect=78)
    values = parse_metrics((metrics / "lockstep_p.prom").read_text())
    assert values["lockstep_pair_last_exit_code", labels(pair="p")] == 78
    assert values["lockstep_runs_total", labels(pair="p", kind="sync", result="configuration")] == 1
    assert values["lockstep_pair_consecutive_failures", labels(pair="p")] == 1
    assert ("lockstep_pair_last_success_timestamp_seconds", labels(pair="p")) not in values


def test_a_check_that_finds_differences_is_no_success(lockstep, tmp_path, source, target):
    source.put("k", b"x")
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    path = configure(tmp_path, {"p": {"source": source.url, "target": target.url}}, metrics={"textfile": str(metrics)})
    lockstep.run("run", "--config", path)
    file, p = metrics / "lockstep_p.prom", {"pair": "p"}
    success = ("lockstep_pair_last_success_timestamp_seconds", labels(**p))
    before = parse_metrics(file.read_text())
    target.put("k", b"y")
    lockstep.run("run", "--check", "--config", path, expect=4)
    values = parse_metrics(file.read_text())
    assert values["lockstep_runs_total", labels(**p, kind="check", result="drift")] == 1
    assert values["lockstep_runs_total", labels(**p, kind="check", result="success")] == 0
    assert values["lockstep_runs_total", labels(**p, kind="sync", result="success")] == 1
    assert values[success] == before[success]


def test_a_directory_that_cannot_be_written_is_a_warning(lockstep, tmp_path, source, target):
    source.put("k", b"x")
    path = configure(tmp_path, {"p": {"source": source.url, "target": target.url}})
    outcome = lockstep.run("run", "--config", path, "--metrics-textfile", tmp_path / "absent")
    assert "absent" in outcome.err and "metrics were not written" in outcome.err
    assert target.visible() == source.visible()


def test_a_reader_never_sees_half_a_file(lockstep, tmp_path, source, target):
    source.put("k", b"x")
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    path = configure(tmp_path, {"p": {"source": source.url, "target": target.url}})
    lockstep.run("run", "--config", path, "--metrics-textfile", metrics)
    file, ends, stop = metrics / "lockstep_p.prom", set(), threading.Event()

    def read():
        while not stop.is_set():
            ends.add(file.read_text()[-1:])
            assert all(name.endswith((".prom", ".tmp")) for name in os.listdir(metrics))

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        for _ in range(5):
            lockstep.run("run", "--config", path, "--metrics-textfile", metrics)
        stop.set()
        reader.result()
    assert ends == {"\n"}


def test_a_record_of_a_newer_program_is_left_alone_and_a_damaged_one_is_set_aside(lockstep, tmp_path, source, target):
    source.put("k", b"x")
    path = configure(tmp_path, {"p": {"source": source.url, "target": target.url}})
    lockstep.run("run", "--config", path)
    record = tmp_path / "state" / "pairs" / "p.json"
    newer = '{"version": 99, "something": "else"}'
    record.write_text(newer)
    outcome = lockstep.run("run", "--config", path)
    assert "newer lockstep" in outcome.err and record.read_text() == newer
    record.write_text("{")
    outcome = lockstep.run("run", "--config", path)
    assert "p.json.damaged" in outcome.err and (tmp_path / "state" / "pairs" / "p.json.damaged").read_text() == "{"
