"""Where the files under test are, and how tools of the distribution are run on them."""

import os
import pathlib
import shutil
import subprocess
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "Config"
PREFIX = os.environ.get("LOCKSTEP_PREFIX", ROOT / ".local")


def run(name, *arguments, expect=0, **options):
    """Runs a tool of the pinned ones or of the distribution; `Scripts/bootstrap tests` installs these, so a missing one is a failure."""
    path = shutil.which(name, path=f"{sysconfig.get_path('scripts')}:{PREFIX}/bin:{os.environ['PATH']}")
    if path is None:
        pytest.fail(f"{name} is not installed: run Scripts/bootstrap tests")
    options = {"capture_output": True, "text": True, "timeout": 300, **options}
    result = subprocess.run([path, *map(str, arguments)], **options)
    if expect is not None:
        assert result.returncode == expect, (name, result.stdout[-4000:], result.stderr[-4000:])
    return result
