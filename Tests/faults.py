"""Faults that a test plans for the bucket of a location, and must see happen."""

import pytest

#: Operations as the simulator's clouds call them.
CLOUD = {"s3": "s3", "gs": "gcs", "az": "azure"}
READ = {"s3": "GetObject", "gs": "GetObject", "az": "GetBlob"}
LIST = {"s3": "ListObjectsV2", "gs": "ListObjects", "az": "ListBlobs"}
WRITE = {"s3": "PutObject", "gs": "InsertObject", "az": "PutBlob"}
PART_WRITE = {"s3": "UploadPart", "gs": "XMLPart", "az": "PutBlock"}
COMPLETE = {"s3": "CompleteMultipartUpload", "gs": "XMLComplete", "az": "PutBlockList"}
DELETE = {"s3": "DeleteObject*", "gs": "DeleteObject", "az": "DeleteBlob"}
COPY = {"s3": "CopyObject", "gs": "Rewrite", "az": "CopyBlob*"}


class Faults:
    """Rules for the bucket of a location. One that was planned and did not happen fails the test."""

    def __init__(self, sim):
        self.sim, self.planned = sim, {}

    def __call__(self, place, action, **rule):
        added = self.sim.add_fault(action=action, cloud=CLOUD[place.kind], bucket=place.scope, **rule)
        self.planned[added] = (place.kind, action, rule)
        return added

    def happened(self, rule):
        return self.sim.fired(rule) > 0

    def end(self):
        for rule, planned in self.planned.items():
            assert self.happened(rule), f"fault {planned} of this test did not happen"
        self.planned = {}
        self.sim.call("DELETE", "faults")


@pytest.fixture
def fault(sim):
    faults = Faults(sim)
    yield faults
    faults.end()


@pytest.fixture(params=list(READ))
def kind(request):
    return request.param
