"""Where the files under test are, and how tools of the distribution are run on them."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "Config"


def run(name, *arguments, expect=0, **options):
    """Runs a tool; `Scripts/bootstrap tests` installs those of the distribution, so a missing one is a failure."""
    path = name if "/" in str(name) else shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed: run Scripts/bootstrap tests")
    options = {"capture_output": True, "text": True, "timeout": 300, **options}
    result = subprocess.run([path, *map(str, arguments)], **options)
    if expect is not None:
        assert result.returncode == expect, (name, result.stdout[-4000:], result.stderr[-4000:])
    return result
