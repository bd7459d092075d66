"""Starts a command, waits for it, and writes what the kernel counted for it: `harness_child.py RESULT COMMAND…`.

Linux hands the peak memory of the starting process on to the started one, through exec. So a measured command is
started from here, where there is little, and not from a benchmark that has held data sets and clients of clouds.
"""

import json
import os
import sys
import time

started = time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as result:
    json.dump({
        "wall": time.monotonic() - started, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024,
        "code": os.waitstatus_to_exitcode(status)}, result)
