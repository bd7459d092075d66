"""Where a process can be killed: at the N-th call of a system call, by `strace`, and after some time.

A dry count finds out which calls a run makes and how often each thread makes them; a seed picks points all over the run.
"""

import collections
import os
import random
import re
import shutil
import signal
import subprocess

import pytest

#: Calls that change something outside the process, or bring something in: state, files, sockets.
CALLS = (
    "pwrite64", "pwritev", "write", "writev", "pread64", "fsync", "fdatasync", "sendto", "sendmsg", "recvfrom", "connect", "openat",
    "openat2", "unlink", "unlinkat", "rename", "renameat", "renameat2", "linkat", "mkdirat", "ftruncate", "fallocate", "fsetxattr",
    "copy_file_range", "close",
)
LINE = re.compile(rb"^(\d+)\s+(\w+)\(")


def strace(*arguments):
    path = shutil.which("strace")
    if not path:
        pytest.fail("strace is not installed: Scripts/bootstrap installs it")
    return [path, "--follow-forks", "--seccomp-bpf", *arguments]


def counted(command, environment, log):
    """Runs a command to its end; system call → how often the busiest thread made it."""
    names = ",".join(f"?{name}" for name in CALLS)
    result = subprocess.run(
        strace("--output", str(log), "--string-limit", "0", f"--trace={names}", *command),
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
    )
    assert result.returncode == 0, (result.stdout[-3000:], result.stderr[-3000:])
    by_thread = collections.Counter(match.groups() for match in map(LINE.match, log.read_bytes().splitlines()) if match)
    counts = {}
    for (_, name), count in by_thread.items():
        counts[name.decode()] = max(counts.get(name.decode(), 0), count)
    return counts


def points(counts, number, seed):
    """`number` points as (system call, N), each call in its turn, N all over its range."""
    chooser = random.Random(seed)
    names = sorted(counts)
    chooser.shuffle(names)
    for index in range(number):
        name = names[index % len(names)]
        yield name, chooser.randint(1, counts[name])


def killed_at(command, environment, name, nth):
    """Runs a command that is killed when a thread enters `name` for the N-th time; whether it was, or ended before."""
    inject = f"--inject={name}:signal=SIGKILL:when={nth}"
    result = subprocess.run(
        strace("--output", os.devnull, f"--trace={name}", inject, *command),
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
    )
    if result.returncode == -signal.SIGKILL:
        return True
    assert result.returncode == 0, (name, nth, result.returncode, result.stdout[-3000:], result.stderr[-3000:])
    return False


def killed_after(command, environment, seconds):
    """Runs a command and kills it after some time, unless it ends before; whether it was killed."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0, output
    return False
