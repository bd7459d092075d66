"""Faults that `test_bad_answers` and `test_bad_listings` leave out: every size class on every cloud, lost replies to every kind of change,
objects that change under a transfer on either side, and credentials that expire under way."""

import os

import pytest
import requests

from faults import CLOUD, COPY, DELETE, LIST, PART_WRITE, READ, WRITE, fault, kind  # noqa: F401
from locations import MIB
from lockstep_binary import Lockstep
from test_interruption import wait_until

SMALL = os.urandom(100_000)
LARGE = os.urandom(12 * MIB)
PART = ("--part-size", "5M")


def start(lockstep, source, target, *flags):
    return lockstep.start("sync", source.url, target.url, "--json", "--state", lockstep.state, *PART, *flags)


def listings_only(lockstep, source, target):
    summary = lockstep.sync(source.url, target.url, *PART).summary
    return set(summary["requests"]["source"]) == set(summary["requests"]["target"]) == {"list"}


# Listings


def test_a_listing_that_hides_a_key_deletes_nothing(location, target, lockstep, fault, kind):
    """Absent from a listing is not absent: before a delete, the source is asked for the key itself."""
    source = location(kind)
    source.fill({"hidden": b"h", "shown": b"s", "gone": b"g"})
    lockstep.sync(source.url, target.url)
    source.delete("gone")
    fault(source, "list-hide-key", operation=LIST[kind], key="hidden")
    outcome = lockstep.sync(source.url, target.url, "--delete", "--max-delete", "100%", expect=None)
    assert target.visible() == {"hidden": b"h", "shown": b"s"}, outcome.out
    fault.end()
    lockstep.repair(source, target)


def test_a_target_listing_that_hides_a_key_overwrites_nothing(location, source, lockstep, fault, kind):
    """The object that looks missing is there: the create-only write finds it, and it is ours or a conflict."""
    target = location(kind)
    source.fill({"hidden": b"new!", "shown": b"s"})
    target.put("hidden", b"somebody else's")
    fault(target, "list-hide-key", operation=LIST[kind], key="hidden")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    fault.end()
    assert outcome.named("skipped")["hidden"]["reason"] == "conflict"
    assert target.visible() == {"hidden": b"somebody else's", "shown": b"s"}


def test_an_empty_page_of_the_target(location, source, lockstep, fault, kind):
    target = location(kind)
    source.fill({f"k{number}": b"data" for number in range(5)})
    lockstep.sync(source.url, target.url)
    fault(target, "list-empty-page", operation=LIST[kind], nth=1)
    assert lockstep.sync(source.url, target.url).summary["unchanged_objects"] == 5


# Bodies


WRONG_RANGES = [("flip-bit", {}), ("wrong-etag", {}), ("ignore-range", {}), ("wrong-content-range", {}), ("stall-after-bytes", {"bytes": 1000, "milliseconds": 200})]


def test_parts_of_large_objects_that_come_wrong(location, target, lockstep, fault, kind):
    """Each request for a part gets another fault; the parts are asked for again, and nothing but the right bytes is stored."""
    source = location(kind)
    source.put("large", LARGE)
    for number, (action, rule) in enumerate(WRONG_RANGES):
        fault(source, action, operation=READ[kind], nth=number + 1, **rule)
    lockstep.sync(source.url, target.url, *PART)
    assert target.content() == {"large": LARGE} and target.open_uploads() == []
    assert listings_only(lockstep, source, target)


@pytest.mark.parametrize("size", [1, 5 * MIB, 5 * MIB + 1], ids=["one byte", "one part", "two parts"])
def test_bodies_at_the_limits_of_a_size_class(location, target, lockstep, fault, kind, size):
    """One byte too few or too many, with a Content-Length that agrees or not."""
    source = location(kind)
    data = os.urandom(size)
    source.put("k", data)
    bodies = [("short-body", {"bytes": 1}), ("short-body", {"bytes": 1, "matchingLength": True}), ("long-body", {"bytes": 1, "matchingLength": True})]
    for number, (action, rule) in enumerate(bodies):
        fault(source, action, operation=READ[kind], nth=number + 1, **rule)
    lockstep.sync(source.url, target.url, *PART)
    assert target.content() == {"k": data}


def test_an_empty_object_that_is_sent_a_body(location, target, lockstep, kind, sim):
    """Nothing of a body that is too long arrives, also where no byte was expected."""
    source = location(kind)
    source.put("empty", b"")
    sim.add_fault(action="long-body", cloud=CLOUD[kind], bucket=source.scope, operation=READ[kind], nth=1, bytes=5, matchingLength=True)
    lockstep.sync(source.url, target.url)
    assert target.content() == {"empty": b""}


# Replies that are lost after the work was done


def test_a_lost_reply_to_a_part(location, source, lockstep, fault, kind):
    target = location(kind)
    source.put("large", LARGE)
    fault(target, "drop-reply-after-commit", operation=PART_WRITE[kind], nth=2)
    lockstep.sync(source.url, target.url, *PART)
    assert target.visible() == {"large": LARGE} and target.open_uploads() == []
    assert listings_only(lockstep, source, target)


def test_a_lost_reply_to_a_copy_and_to_a_delete(location, source, lockstep, fault, kind):
    """Deleting keeps a copy first: whichever reply is lost, the copy is there in the end and the object is not."""
    target = location(kind)
    source.fill({"stays": b"s", "goes": b"g", "goes too": b"gg"})
    lockstep.sync(source.url, target.url)
    for key in ("goes", "goes too"):
        source.delete(key)
    fault(target, "drop-reply-after-commit", operation=COPY[kind], nth=1)
    fault(target, "drop-reply-after-commit", operation=DELETE[kind], nth=1)
    outcome = lockstep.sync(source.url, target.url, "--delete", "--max-delete", "100%")
    assert outcome.summary["deleted_objects"] == 2 and target.visible() == {"stays": b"s"}
    kept = {key.rsplit("/", 1)[1]: data for key, data in target.content().items() if key.startswith(".lockstep/deleted/")}
    assert kept == {"goes": b"g", "goes too": b"gg"}
    assert listings_only(lockstep, source, target)


# Objects that change under a transfer


def test_a_large_object_that_vanishes_between_its_parts(location, target, lockstep, fault, kind):
    source = location(kind)
    source.fill({"large": LARGE, "other": b"o"})
    target.put("large", b"an older copy")
    fault(source, "delete-object-between-ranges", operation=READ[kind], key="large", nth=2)
    summary = lockstep.sync(source.url, target.url, *PART).summary
    assert summary["vanished_objects"] == 1 and target.open_uploads() == []
    assert target.content() == {"large": b"an older copy", "other": b"o"}


def test_somebody_writes_the_key_while_its_parts_are_sent(location, source, lockstep, fault, kind):
    """The upload is completed under the condition that it was begun with: their object stays, ours is discarded."""
    target = location(kind)
    source.put("large", LARGE)
    rule = fault(target, "latency", operation=PART_WRITE[kind], nth=2, milliseconds=1500)
    process = start(lockstep, source, target)
    wait_until(lambda: fault.happened(rule), process)
    target.put("large", b"theirs")
    outcome = lockstep.finish(process)
    assert outcome.status == 3 and outcome.named("skipped")["large"]["reason"] == "conflict"
    assert target.visible() == {"large": b"theirs"} and target.open_uploads() == []


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_somebody_replaces_what_is_about_to_be_replaced(location, source, lockstep, fault, kind, data):
    target = location(kind)
    source.put("k", b"first")
    lockstep.sync(source.url, target.url)
    source.put("k", data)
    rule = fault(source, "latency", operation="GetObject", nth=1, milliseconds=1200)
    process = start(lockstep, source, target)
    wait_until(lambda: fault.happened(rule), process)
    target.put("k", b"theirs")
    outcome = lockstep.finish(process)
    assert outcome.status == 3 and outcome.named("skipped")["k"]["reason"] == "conflict"
    assert target.visible() == {"k": b"theirs"} and target.open_uploads() == []


# Credentials


def test_credentials_that_expire_once_are_fetched_again(location, source, target, lockstep, fault):
    """Every worker is refused at the same moment; they all go on with what the provider gives them then."""
    objects = {f"k{number:02}": b"data" for number in range(40)}
    source.fill(objects)
    fault(source, "expire-credentials", operation="GetObject", nth=10, count=5)
    assert lockstep.sync(source.url, target.url).summary["copied_objects"] == 40
    assert target.content() == objects


def test_a_token_that_expires_is_exchanged_anew(launch, tmp_path, location):
    """A Google service account, at a server that wants tokens and calls the one in use expired."""
    server = launch("--gcs-needs-token")
    account = tmp_path / "account.json"
    account.write_bytes(requests.get(f"{server.gcs['endpoint']}/_/service-account.json", timeout=60).content)
    server.populate("gcs", "source", "k", 60, 1000)
    target = location("file")
    rule = server.add_fault(action="expire-credentials", cloud="gcs", operation="GetObject", nth=20, count=4)
    user = Lockstep(tmp_path, {"GOOGLE_APPLICATION_CREDENTIALS": str(account)})
    user.sync("gs://source", target.url, "--source-endpoint", server.gcs["endpoint"])
    assert server.fired(rule) == 4 and len(target.keys()) == 60
    # Once for all that were refused together; a refusal that comes after the exchange asks for another.
    assert 2 <= server.requests("gcs")["Token"] <= 1 + 4
