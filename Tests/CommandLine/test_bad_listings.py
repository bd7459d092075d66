"""Listings are not trusted: whatever is wrong with one ends the run with its name, and nothing is ever deleted on its word."""

import pytest

LISTS = {"s3": "ListObjectsV2", "gs": "ListObjects", "az": "ListBlobs"}
CLOUD = {"s3": "s3", "gs": "gcs", "az": "azure"}
PAGE = {"s3": 1000, "gs": 1000, "az": 5000}


def populated(sim, location, kind, count):
    place = location(kind)
    name = {"s3": lambda: place.bucket, "gs": lambda: place.bucket.name, "az": lambda: place.container.container_name}[kind]()
    sim.populate(CLOUD[kind], name, "k", count, 1)
    return place


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("kind", list(LISTS))
def test_page_2_fails(sim, location, lockstep, kind, side):
    """Everything that page 1 does not show looks deleted, or missing: nothing is deleted, and what was copied is right."""
    listed = populated(sim, location, kind, PAGE[kind] + 200)
    other = location("s3")
    other.fill({"surplus-1": b"s", "z-surplus": b"z"})
    source, target = (listed, other) if side == "source" else (other, listed)
    before = target.keys()
    rule = sim.add_fault(action="status", cloud=CLOUD[kind], bucket=listed.scope, operation=LISTS[kind], nth=2, count=1000, status=403)
    outcome = lockstep.sync(source.url, target.url, "--delete", "--max-delete", "100%", "--size-only", expect=78)
    assert sim.fired(rule) > 0
    sim.call("DELETE", "faults")
    assert outcome.summary["error"].startswith(f"{side}: list")
    assert outcome.summary["deleted_objects"] == 0 and set(before) <= set(target.keys())


BAD = [
    ("list-repeat-token", {"nth": 2, "count": 1000}, "twice"),
    ("list-unsorted", {"nth": 1}, "order"),
    ("list-duplicate", {"nth": 1}, "twice"),
]


@pytest.mark.parametrize("action, rule, says", BAD, ids=[each[0] for each in BAD])
@pytest.mark.parametrize("kind", list(LISTS))
def test_listings_that_lie(sim, location, lockstep, kind, action, rule, says):
    source = populated(sim, location, kind, PAGE[kind] + 200)
    target = location("s3")
    target.fill({"surplus": b"s"})
    fault = sim.add_fault(action=action, cloud=CLOUD[kind], bucket=source.scope, operation=LISTS[kind], **rule)
    outcome = lockstep.sync(source.url, target.url, "--delete", "--max-delete", "100%", "--dry-run", expect=3)
    assert sim.fired(fault) > 0
    assert says in outcome.summary["error"] and outcome.summary["error"].startswith("source: ")
    outcome = lockstep.sync(source.url, target.url, "--delete", "--max-delete", "100%", "--max-transfer", "100", expect=None)
    assert "surplus" in target.keys()


def test_a_page_that_names_no_token_is_continued_behind_its_last_key(sim, location, lockstep, target):
    """`IsTruncated` without a token: some clones do that. Nothing is left out and nothing taken for deleted."""
    source = populated(sim, location, "s3", 2300)
    rule = sim.add_fault(action="list-no-token", cloud="s3", bucket=source.scope, operation="ListObjectsV2", nth=1)
    assert lockstep.sync(source.url, target.url, "--dry-run").summary["planned_objects"] == 2300
    assert sim.fired(rule) == 1


@pytest.mark.parametrize("kind", list(LISTS))
def test_empty_pages_in_between_are_passed_over(sim, location, lockstep, target, kind):
    source = location(kind)
    source.fill({"a": b"1", "b": b"2"})
    rule = sim.add_fault(action="list-empty-page", cloud=CLOUD[kind], bucket=source.scope, operation=LISTS[kind], nth=1)
    lockstep.sync(source.url, target.url)
    assert sim.fired(rule) == 1 and target.content() == {"a": b"1", "b": b"2"}


def test_endless_empty_pages_end(sim, location, lockstep, target):
    source = location("s3")
    source.fill({"a": b"1", "b": b"2"})
    sim.add_fault(action="list-empty-page", cloud="s3", bucket=source.scope, operation="ListObjectsV2")
    outcome = lockstep.sync(source.url, target.url, expect=3)
    assert "token" in outcome.summary["error"] or "empty" in outcome.summary["error"]


def test_a_listing_that_fails_once_is_asked_again(sim, location, lockstep, target):
    source = populated(sim, location, "s3", 1200)
    rule = sim.add_fault(action="status", cloud="s3", bucket=source.scope, operation="ListObjectsV2", nth=2, status=500)
    assert lockstep.sync(source.url, target.url).summary["copied_objects"] == 1200
    assert sim.fired(rule) == 1


def test_a_bucket_is_made_of_many_pages(sim, location, lockstep):
    """The page limits of every kind of store, passed from one to the next."""
    source = populated(sim, location, "s3", 2300)
    target = location("file")
    assert lockstep.sync(source.url, target.url).summary["copied_objects"] == 2300
    assert lockstep.sync(source.url, target.url).summary["unchanged_objects"] == 2300
    assert len(target.keys()) == 2300
