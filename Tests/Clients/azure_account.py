"""The `azure` fixture: where CloudSim's storage account is and how to sign for it."""

import dataclasses

import pytest


@dataclasses.dataclass
class AzureAccount:
    #: `http://127.0.0.1:PORT/ACCOUNT`, without a slash at the end.
    url: str
    account: str
    key: str


@pytest.fixture
def azure(sim):
    return AzureAccount(sim.azure["endpoint"], sim.azure["account"], sim.azure["key"])
