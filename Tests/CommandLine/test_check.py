"""`lockstep check`: verdicts, exit codes, reports and what it leaves alone."""

import html.parser
import os
import signal
import subprocess

import pytest

from checking import check


@pytest.fixture
def pair(lockstep, source, target):
    """A bucket and its replica."""
    source.fill({"a/1": b"one", "a/2": b"two", "b/1": (b"three", {"content_type": "text/plain"}), "c": b""})
    lockstep.sync(source.url, target.url)
    return source, target


def marks(path):
    return dict(line.split(" ", 1)[::-1] for line in path.read_text().splitlines())


@pytest.mark.parametrize("side", ["source", "target"])
def test_why_a_check_failed_is_said_once(lockstep, source, side):
    missing = "s3://no-such-bucket-here"
    places = (missing, source.url) if side == "source" else (source.url, missing)
    outcome = lockstep.run("check", *places, "--state", lockstep.state, expect=78)
    assert (outcome.out + outcome.err).count("no bucket no-such-bucket-here") == 1 and "could not finish" in outcome.out
    quiet = lockstep.run("check", *places, "--state", lockstep.state, "--quiet", expect=78)
    assert quiet.err.count("no bucket no-such-bucket-here") == 1 and len(quiet.out.splitlines()) == 2


def test_in_sync_by_listings_alone(lockstep, sim, pair):
    source, target = pair
    found = check(lockstep, source.url, target.url)
    assert found.verdict == "IN_SYNC" and found.summary["evidence"] == 1 and found.summary["ledger"]
    assert found.summary["same"] == {"recorded": {"objects": 4, "bytes": 11}}
    assert set(found.summary["requests"]["source"]) == set(found.summary["requests"]["target"]) == {"list"}
    assert found.summary["recovery_point"]["waiting_objects"] == 0


def test_a_check_writes_nothing(lockstep, sim, pair, tmp_path):
    source, target = pair
    source.put("a/1", b"other")
    target.put("extra", b"extra")
    state = {path: path.read_bytes() for path in lockstep.state.rglob("*") if path.is_file() and path.suffix == ".sqlite"}
    sim.call("DELETE", "requests")
    for flags in ([], ["--evidence", "3"]):
        check(lockstep, source.url, target.url, *flags, expect=4)
    assert set(sim.requests("s3")) <= {"ListObjectsV2", "HeadObject", "GetObject"}
    assert state == {path: path.read_bytes() for path in state}
    elsewhere = tmp_path / "nowhere"
    lockstep.run("check", source.url, target.url, "--state", elsewhere, expect=4)
    assert not elsewhere.exists()


def test_a_check_runs_beside_a_sync(lockstep, sim, pair):
    """It takes no lease: neither waits for the other."""
    source, target = pair
    source.put("big", os.urandom(1 << 20))
    rule = sim.add_fault(action="slow", cloud="s3", bucket=source.scope, operation="GetObject", key="big", bytesPerSecond=200_000)
    process = lockstep.start("sync", source.url, target.url, "--state", lockstep.state, "--no-progress")
    while not sim.fired(rule):
        assert process.poll() is None
    found = check(lockstep, source.url, target.url)
    assert process.poll() is None and found.findings == {"big": "only-in-source"}
    assert lockstep.finish(process).status == 0
    assert check(lockstep, source.url, target.url).verdict == "IN_SYNC"


@pytest.mark.parametrize("kind", ["s3", "gs", "az", "file"])
def test_every_kind_of_source(lockstep, location, target, kind):
    source = location(kind).fill({"x/y": b"1" * 5000, "z": b""})
    lockstep.sync(source.url, target.url)
    for flags in ([], ["--evidence", "2"], ["--evidence", "3"], ["--no-ledger"]):
        assert check(lockstep, source.url, target.url, *flags).verdict == "IN_SYNC"
    source.put("x/y", b"2" * 5000)
    for flags in ([], ["--evidence", "2"], ["--evidence", "3"], ["--no-ledger"]):
        assert check(lockstep, source.url, target.url, *flags).findings == {"x/y": "differs:content"}


def test_the_table_says_the_verdict_first(lockstep, pair):
    source, target = pair
    said = lockstep.run("check", source.url, target.url, "--state", lockstep.state)
    assert said.out.startswith("IN_SYNC  s3://") and "4 recorded" in said.out and "nothing is waiting" in said.out
    target.delete("a/1")
    said = lockstep.run("check", source.url, target.url, "--state", lockstep.state, expect=4)
    assert said.out.startswith("DRIFT  s3://") and "+ a/1\tonly in source" in said.out
    brief = lockstep.run("check", source.url, target.url, "--state", lockstep.state, "--quiet", expect=4)
    assert len(brief.out.splitlines()) == 2


def test_no_more_than_20_lines_unless_asked_for(lockstep, source, target):
    source.fill({f"k{index:03}": b"x" for index in range(40)})
    said = lockstep.run("check", source.url, target.url, expect=4)
    assert said.out.count("only in source") == 21 and "and 20 more" in said.out
    said = lockstep.run("check", source.url, target.url, "--verbose", expect=4)
    assert said.out.count("\tonly in source") == 40


def test_empty_sides(lockstep, source, target):
    found = check(lockstep, source.url, target.url)
    assert found.verdict == "IN_SYNC"
    said = lockstep.run("check", source.url, target.url)
    assert "nothing was compared" in said.out
    target.put("surplus", b"x")
    assert check(lockstep, source.url, target.url).findings == {"surplus": "only-in-target"}
    found = check(lockstep, source.url, target.url, "--one-way")
    assert found.verdict == "IN_SYNC" and found.summary["ignored_in_target"] == 1


def test_a_missing_bucket_is_not_empty(lockstep, source, tmp_path):
    for target in ("s3://there-is-no-such-bucket", tmp_path / "nowhere"):
        found = check(lockstep, source.url, target, expect=78)
        assert found.verdict == "UNPROVEN" and found.summary["error"]


def test_a_listing_that_lies_ends_the_check(lockstep, sim, pair):
    source, target = pair
    sim.add_fault(action="list-unsorted", cloud="s3", bucket=target.scope, operation="ListObjectsV2")
    found = check(lockstep, source.url, target.url, expect=3)
    assert found.verdict == "UNPROVEN" and "order" in found.summary["error"]


def test_a_listing_that_is_down_is_temporary(lockstep, sim, pair):
    source, target = pair
    # 500, not 503: an overloaded service is waited for much longer than a broken one.
    sim.add_fault(action="status", cloud="s3", bucket=target.scope, operation="ListObjectsV2", status=500)
    assert check(lockstep, source.url, target.url, expect=75).verdict == "UNPROVEN"


def test_filters_and_named_keys(lockstep, pair, tmp_path):
    source, target = pair
    target.put("a/1", b"ONE")
    assert check(lockstep, source.url, target.url, "--exclude", "a/").verdict == "IN_SYNC"
    assert check(lockstep, source.url, target.url, "--include", "a/*").findings == {"a/1": "differs:content"}
    names = tmp_path / "names"
    names.write_text("a/1\nc\nnobody\n")
    found = check(lockstep, source.url, target.url, "--files-from", names)
    assert found.findings == {"a/1": "differs:content", "nobody": "unproven:missing"}


def test_combined(lockstep, pair, tmp_path):
    source, target = pair
    source.put("new", b"n")
    target.put("extra", b"e")
    target.put("a/1", b"ONE")
    report = tmp_path / "report"
    lockstep.run("check", source.url, target.url, "--state", lockstep.state, "--combined", report, expect=4)
    assert marks(report) == {"a/1": "*", "a/2": "=", "b/1": "=", "c": "=", "extra": "-", "new": "+"}
    assert list(marks(report)) == sorted(marks(report))
    said = lockstep.run("check", source.url, target.url, "--state", lockstep.state, "--combined", "-", expect=4)
    assert said.out == report.read_text() and said.err.startswith("DRIFT")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_combined_names_what_could_not_be_looked_at(lockstep, sim, pair, tmp_path):
    source, target = pair
    report = tmp_path / "report"
    sim.add_fault(action="status", cloud="s3", bucket=target.scope, key="a/1", method="GET", status=403)
    lockstep.run("check", source.url, target.url, "--evidence", "3", "--combined", report, expect=5)
    assert marks(report)["a/1"] == "!"
    lockstep.run(
        "check", source.url, target.url, "--no-ledger", "--evidence", "3", "--sample", "0.0001%", "--seed", "1", "--combined", report, expect=5
    )
    assert set(marks(report).values()) == {"?"}


def test_hostile_keys_are_one_line_each(lockstep, source, target, tmp_path):
    keys = ["line\nbreak", "tab\there", "back\\slash", "back\\x41", "bidi\u202eevil", "sp ace ", "esc\x1b[2J", "\u00fcber"]
    source.fill({key: b"x" for key in keys})
    report = tmp_path / "report"
    page = tmp_path / "page.html"
    lockstep.run("check", source.url, target.url, "--combined", report, "--html", page, expect=4)
    text = report.read_bytes().decode()
    assert len(text.splitlines()) == len(keys) and "\x1b" not in text and "\u202e" not in text
    assert "\x1b" not in page.read_text() and "\u202e" not in page.read_text()
    outcome = lockstep.sync(source.url, target.url, "--repair-from", report)
    assert outcome.summary["copied_objects"] == len(keys)
    assert sorted(target.visible()) == sorted(keys)


class Page(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.links, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page(lockstep, source, target, tmp_path):
    source.fill({f"set-{index}/model<script>alert(1)</script>&'\"": b"x" * index for index in range(3)})
    lockstep.sync(source.url, target.url)
    target.delete("set-1/model<script>alert(1)</script>&'\"")
    page = tmp_path / "page.html"
    lockstep.run(
        "check", source.url, target.url, "--state", lockstep.state, "--html", page, "--set-depth", "1", expect=4
    )
    parsed = Page(page.read_text())
    assert parsed.open == [] and "script" not in parsed.tags and parsed.links == []
    words = [text.strip() for text in parsed.text if text.strip()]
    assert words.index("DRIFT") < words.index("Objects")
    text = " ".join(words)
    assert "set-1/model<script>alert(1)</script>&'\"" in text and "--repair-from" in text
    assert "2 complete, 1 incomplete" in text and "not verified at the target" in text
    lockstep.sync(source.url, target.url)
    lockstep.run("check", source.url, target.url, "--state", lockstep.state, "--html", page, "--quiet")
    assert "IN SYNC" in page.read_text() and "How to repair" not in page.read_text()


def test_reports_that_cannot_be_written(lockstep, pair, tmp_path):
    source, target = pair
    for option in ("--combined", "--html"):
        said = lockstep.run("check", source.url, target.url, option, tmp_path / "no" / "such" / "folder", expect=3)
        assert "cannot be written" in said.err


def test_sets_and_the_recovery_point(lockstep, sim, pair):
    source, target = pair
    try:
        # As far as a signature may be off.
        sim.call("POST", "clock", {"offsetSeconds": -600})
        source.put("a/2", b"newer")
    finally:
        sim.call("POST", "clock", {"offsetSeconds": 0})
    source.put("b/1", b"newest")
    found = check(lockstep, source.url, target.url, "--set-depth", "1").summary
    assert found["sets"]["complete"] == 0 and [each["name"] for each in found["sets"]["first_incomplete"]] == ["a/", "b/"]
    assert found["recovery_point"]["waiting_objects"] == 2
    assert 590 < found["recovery_point"]["age_seconds"] < 900
    found = check(lockstep, source.url, target.url, "--set", "/b").summary
    assert found["sets"]["complete"] == 0 and found["sets"]["incomplete"] == 1


def test_samples(lockstep, source, target):
    source.fill({f"k{index:03}": b"x%d" % index for index in range(100)})
    lockstep.sync(source.url, target.url)
    found = check(lockstep, source.url, target.url, "--sample", "20%", "--seed", "5")
    sample = found.summary["sample"]
    assert found.verdict == "IN_SYNC" and found.summary["evidence"] == 3
    assert 5 < sample["checked"] < 40 and sample["population"] == 100 and 0 < sample["upper_bound"] < 0.5
    assert found.summary["same"]["reread"]["objects"] == sample["checked"]
    assert check(lockstep, source.url, target.url, "--sample", "20%", "--seed", "5").same == found.same
    alone = check(lockstep, source.url, target.url, "--sample", "20%", "--seed", "5", "--no-ledger")
    assert alone.verdict == "UNPROVEN" and alone.summary["unproven"]["unsampled"]["objects"] == 100 - sample["checked"]
    said = lockstep.run("check", source.url, target.url, "--state", lockstep.state, "--sample", "20%", "--seed", "5")
    assert "with 95 % confidence" in said.out


def test_a_damaged_ledger_is_named_and_can_be_left_out(lockstep, pair):
    source, target = pair
    path = next(lockstep.state.glob("*.sqlite"))
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 3] = os.urandom(4096)
    path.write_bytes(data)
    for extra in path.parent.glob(path.name + "-*"):
        extra.unlink()
    said = lockstep.run("check", source.url, target.url, "--state", lockstep.state, expect=None)
    assert said.status == 0 or (said.status == 1 and str(path) in said.err)
    assert check(lockstep, source.url, target.url, "--no-ledger").verdict == "IN_SYNC"


@pytest.mark.parametrize(
    "flags",
    [
        ["--evidence", "4"], ["--evidence", "3", "--no-read"], ["--seed", "1"], ["--sample", "0"], ["--sample", "101%"],
        ["--set-depth", "0"], ["--set-depth", "1", "--set", "a"], ["--set", "[a"], ["--html", "-"], ["--json", "--combined", "-"],
        ["--verbose", "--quiet"], ["--against", "manifest"], ["--against", "rumours"], ["--trust-key", "k"],
    ],
    ids=" ".join,
)
def test_wrong_arguments(lockstep, flags):
    said = lockstep.run("check", "s3://a", "s3://b", *flags, expect=2)
    assert said.err and not said.out


def test_an_interrupted_check_leaves_no_files(lockstep, sim, pair, tmp_path):
    source, target = pair
    rule = sim.add_fault(action="stall-after-bytes", cloud="s3", bucket=target.scope, operation="GetObject", bytes=0)
    process = lockstep.start(
        "check", source.url, target.url, "--evidence", "3", "--combined", tmp_path / "report", "--html", tmp_path / "page")
    while not sim.fired(rule):
        assert process.poll() is None
    assert lockstep.interrupt(process, signal.SIGINT).status == 130
    assert not list(tmp_path.glob("report*")) and not list(tmp_path.glob("page*"))


def test_against_a_manifest_that_nobody_can_vouch_for(lockstep, target, tmp_path):
    said = lockstep.run("check", target.url, "--against", "manifest", "--state", lockstep.state, expect=78)
    assert "--trust-key" in said.err
    key = tmp_path / "key.pub"
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    key.write_bytes(subprocess.run(["openssl", "pkey", "-pubout"], input=pem, check=True, capture_output=True).stdout)
    said = lockstep.run("check", target.url, "--against", "manifest", "--trust-key", key, expect=78)
    assert "no manifest" in said.err
    lockstep.run("check", "s3://a", "--against", "manifest", "--no-ledger", expect=2)
    lockstep.run("check", "s3://a", expect=2)
