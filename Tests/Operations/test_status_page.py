"""The status page in a browser, at the sizes of a phone and of a screen on a wall."""

import html
import re
import shutil
import struct
import subprocess
import zlib

import pytest

from daemons import wait_until

RARELY = {"cron": "0 0 1 1 *"}
SIZES = {"phone": (390, 1400), "wall": (1920, 1080)}


@pytest.fixture(scope="session")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "chromium is missing; Scripts/test installs it: apt-get install chromium"
    return path


def chromium(browser, tmp_path, *arguments):
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--disable-extensions", f"--user-data-dir={tmp_path / 'profile'}", *arguments,
    ]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.decode()


def colours(path):
    """How many different colours a picture of eight bits per channel has, and its size."""
    data, at, chunks = path.read_bytes(), 8, b""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and colour in (2, 6)
        if kind == b"IDAT":
            chunks += body
        at += 12 + length
    pixel = 3 if colour == 2 else 4
    raw, stride = zlib.decompress(chunks), width * pixel + 1
    # A row without change of colour is a filter byte and differences of zero.
    busy = sum(any(raw[row * stride + 1 + pixel:(row + 1) * stride]) for row in range(height))
    return width, height, busy


@pytest.fixture
def daemon(serve, sim, source, location):
    source.fill({f"k{number}": b"x" * 1000 for number in range(12)})
    daemon = serve({"pairs": {
        "models": {"source": source.url, "target": location("gs").url, "schedule": RARELY},
        "datasets-of-the-research-department-with-a-long-name": {
            "source": "s3://no-such-bucket-here/training/2026/", "target": location("az").url, "schedule": RARELY},
        "by-hand": {"source": source.url, "target": location("gs").url},
    }})
    daemon.wait_for_run("models")
    daemon.wait_for_run("datasets-of-the-research-department-with-a-long-name", "configuration")
    yield daemon
    daemon.stop()


def test_it_says_how_every_pair_is(daemon, browser, tmp_path):
    page = chromium(browser, tmp_path, "--dump-dom", daemon.url + "/")
    assert "<script" not in page and not re.search(r'(?:src|href)="?(?:https?:)?//', page)
    text = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S))
    text = re.sub(r"\s+", " ", text)
    assert "1 of 3 pairs needs attention" in text
    broken, fresh, well = (text.index(word) for word in ("Failing", "No run yet", "In step"))
    assert broken < fresh < well
    for part in ("no-such-bucket-here", "exit code 78", "lockstep doctor", "Last success", "ago", "UTC", "12 objects, 11.7 KiB",
                 "Behind by at most", "Next run", "by hand or event", "never"):
        assert part in text, part


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_drawn_on_small_and_large_screens(daemon, browser, tmp_path, size, scheme):
    width, height = SIZES[size]
    picture = tmp_path / f"{size}-{scheme}.png"
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    chromium(browser, tmp_path, f"--screenshot={picture}", f"--window-size={width},{height}", *dark, daemon.url + "/")
    drawn_width, drawn_height, busy = colours(picture)
    assert (drawn_width, drawn_height) == (width, height)
    assert busy > height / 6, "most of the page is empty"


def test_it_shows_a_run_under_way(serve, sim, source, target, browser, tmp_path):
    source.fill({f"k{number:02}": b"x" * 5000 for number in range(40)})
    sim.add_fault(action="latency", cloud="s3", bucket=source.bucket, operation="GetObject", milliseconds=1500)
    daemon = serve({"pairs": {"p": {"source": source.url, "target": target.url, "schedule": RARELY, "limits": {"concurrency": 2}}}})
    wait_until(lambda: daemon.pair().get("running", {}).get("copied_objects"))
    page = chromium(browser, tmp_path, "--dump-dom", daemon.url + "/")
    assert re.search(r"Copying for \d+ s: \d+ of \d+(?: or more)? objects, [\d.]+ \w+ of [\d.]+ \w+, [\d.]+ \w+/s", page), page
    daemon.stop()
