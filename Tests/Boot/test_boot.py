"""The units under a real systemd, which a container boots: run by `Scripts/test boot`, as root."""

import os
import pathlib
import shutil
import subprocess

from lockstep_binary import binary

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE.parents[1] / "Scripts"


def test_from_the_package_to_a_replicated_pair_with_timers_metrics_and_a_daemon(tmp_path):
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    package = subprocess.run(
        [SCRIPTS / "package", "--binary", binary(), "--output", tmp_path], capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()
    pathlib.Path(package).rename(tmp_path / "lockstep.deb")
    prefix = os.environ.get("LOCKSTEP_PREFIX", HERE.parents[1] / ".local")
    shutil.copy(shutil.which("promtool", path=f"{prefix}/bin:{os.environ['PATH']}"), tmp_path)
    result = subprocess.run([HERE / "boot.sh", HERE / "replicated-pair.sh", tmp_path], capture_output=True, text=True)
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert result.returncode == 0, (log[-6000:], result.stderr)
    assert log.endswith("all done\n")
