"""The units, as systemd itself reads them."""

import os
import pwd
import re
import shutil
import struct

import pytest

from checkout import CONFIG, run
from lockstep_binary import binary

UNITS = CONFIG / "systemd"
SERVICES = ["lockstep.service", "lockstep-run@.service", "lockstep-check@.service"]
TIMERS = ["lockstep-run@.timer", "lockstep-check@.timer"]


def settings(name, section="Service"):
    """Key → values of one section; an empty value empties what came before, as systemd has it."""
    found = {}
    current = None
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == section and line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found[key] = found.get(key, []) + [value] if value else []
    return found


def exposure(path):
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", path).stdout
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)[1])


@pytest.mark.parametrize("name", SERVICES)
def test_exposure_is_under_two(name):
    assert exposure(UNITS / name) < 2.0


def test_the_measure_of_exposure_sees_a_setting_that_is_taken_out(tmp_path):
    weaker = tmp_path / "lockstep.service"
    text = (UNITS / "lockstep.service").read_text()
    weaker.write_text(re.sub(r"^(SystemCallFilter|CapabilityBoundingSet|PrivateUsers|RestrictNamespaces)=.*\n", "", text, flags=re.M))
    assert exposure(weaker) >= 2.0


@pytest.fixture
def installed(tmp_path):
    """The units with the binary where it was built, so that systemd finds what they start."""
    for path in UNITS.glob("*.[st]*"):
        if path.suffix in (".service", ".timer"):
            (tmp_path / path.name).write_text(path.read_text().replace("/usr/bin/lockstep", binary()))
    return tmp_path


def verify(directory, *names):
    return run("systemd-analyze", "verify", "--man=no", *[directory / name for name in names], expect=None)


def test_systemd_accepts_every_unit(installed):
    result = verify(installed, *SERVICES, *TIMERS)
    assert (result.returncode, result.stderr) == (0, "")


def test_systemd_would_name_a_wrong_setting(installed):
    unit = installed / "lockstep.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=60s", "WatchdogSec=sometimes"))
    assert "ignoring: sometimes" in verify(installed, "lockstep.service").stderr


def test_timers_elapse_when_they_say():
    for name in TIMERS:
        timer = settings(name, "Timer")
        run("systemd-analyze", "calendar", *timer["OnCalendar"])
        assert timer["Persistent"] == ["yes"] and timer["RandomizedDelaySec"]
        assert (UNITS / name.replace(".timer", ".service")).exists()


def test_what_a_run_that_failed_leaves_behind():
    """Each exit code is success, tried again, or failed for good; no code is in two of these."""
    for name, success in [("lockstep-run@.service", {0, 7, 8, 143}), ("lockstep-check@.service", {0, 143})]:
        service = settings(name)
        final = {int(code) for code in service["RestartPreventExitStatus"][0].split()}
        assert {int(code) for code in service["SuccessExitStatus"][0].split()} | {0} == success
        assert not final & success and 75 not in final | success
        assert final >= {1, 2, 3, 4, 5, 6, 78}
        assert service["Type"] == ["oneshot"] and service["Restart"] == ["on-failure"]
        # A limit of starts counts those of the timer too: after some quarters of an hour systemd would refuse the next.
        limit = settings(name, "Unit")
        assert limit["StartLimitIntervalSec"] == ["0"] and "StartLimitBurst" not in limit
        assert int(service["RestartSec"][0].removesuffix("min")) >= 5


def test_the_daemon_is_reloaded_only_with_a_configuration_that_is_right():
    reload = settings("lockstep.service")["ExecReload"]
    assert reload == ["/usr/bin/lockstep config check --config /etc/lockstep/lockstep.yaml", "/bin/kill -HUP $MAINPID"]
    assert settings("lockstep.service")["Type"] == ["notify"]


def test_all_services_share_one_identity_and_one_sandbox():
    def sandbox(name):
        own = {"Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec", "TimeoutStartSec", "Restart", "RestartSec",
               "RestartPreventExitStatus", "SuccessExitStatus", "TasksMax"}
        return {key: value for key, value in settings(name).items() if key not in own}

    assert sandbox(SERVICES[0]) == sandbox(SERVICES[1]) == sandbox(SERVICES[2])
    assert sandbox(SERVICES[0])["DynamicUser"] == ["yes"] and sandbox(SERVICES[0])["User"] == ["lockstep"]


def test_the_user_can_be_made(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr/lib/sysusers.d").mkdir(parents=True)
    shutil.copy(UNITS / "lockstep.sysusers", tmp_path / "usr/lib/sysusers.d/lockstep.conf")
    run("systemd-sysusers", f"--root={tmp_path}")
    entry = next(line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("lockstep:"))
    assert entry.split(":")[5] == "/var/lib/lockstep" and entry.endswith("nologin")


def test_the_user_may_write_metrics(tmp_path):
    """Names in access lists are looked up in this machine's users, so one that every machine has stands for ours."""
    exporter = tmp_path / "var/lib/prometheus/node-exporter"
    exporter.mkdir(parents=True)
    (tmp_path / "usr/lib/tmpfiles.d").mkdir(parents=True)
    text = (UNITS / "lockstep.tmpfiles").read_text()
    assert "user:lockstep:rwx" in text
    (tmp_path / "usr/lib/tmpfiles.d/lockstep.conf").write_text(text.replace("user:lockstep:", "user:nobody:"))
    run("systemd-tmpfiles", f"--root={tmp_path}", "--create")
    # The kernel's form of an access list: version, then tag, permissions and identity of each entry; tag 2 is a named user.
    entries = os.getxattr(exporter, "system.posix_acl_access")[4:]
    assert (2, 7, pwd.getpwnam("nobody").pw_uid) in set(struct.iter_unpack("<HHI", entries))
