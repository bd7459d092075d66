#!/usr/bin/env python3
"""Writes CronTable.swift: what croniter says of many lines, and around changes of clocks what a walk over every minute says.

    pip install croniter==7.0.0 && ./make_cron_table.py
"""

import datetime
import pathlib
import random
import zoneinfo

from croniter import croniter

UTC = datetime.timezone.utc
random.seed(20261121)


def field(low, high, names=()):
    def number():
        value = random.randint(low, high)
        return names[value - low] if names and random.random() < 0.3 else str(value)

    def span():
        first = random.randint(low, high - 1)
        last = random.randint(first + 1, high)
        return first, last

    kind = random.random()
    if kind < 0.35:
        return "*"
    if kind < 0.5:
        return f"*/{random.randint(2, max(2, (high - low) // 2))}"
    if kind < 0.7:
        return number()
    if kind < 0.85:
        first, last = span()
        return f"{first}-{last}" + (f"/{random.randint(2, 5)}" if random.random() < 0.4 else "")
    return ",".join(number() for _ in range(random.randint(2, 4)))


MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()
FIXED = [
    "0 0 29 2 *", "0 0 31 * *", "0 0 29 2 1", "0 0 29 2 */7", "59 23 31 12 *", "0 0 1 1 0", "0 12 * * 7", "*/15 * * * *",
    "0 0 13 * fri", "0 0 * * mon-fri", "0 0 */10 * 1", "0 0 1,15 * 3", "@hourly", "@daily", "@weekly", "@monthly", "@yearly",
    "5-59/20 1-23/3 * * *", "0 0 29 2 */6",
]


def stamp(year, month, day, hour=0, minute=0):
    return int(datetime.datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


def by_croniter(line, start):
    walk = croniter(line, datetime.datetime.fromtimestamp(start, UTC), implement_cron_bug=True)
    after = [int(walk.get_next(float)) for _ in range(6)]
    walk = croniter(line, datetime.datetime.fromtimestamp(start, UTC), implement_cron_bug=True)
    before = [int(walk.get_prev(float)) for _ in range(4)]
    return after, before


def by_minutes(line, zone, start):
    """Every moment from two days before `start` to three days after it, by the rule in CronSchedule's documentation."""
    info = zoneinfo.ZoneInfo(zone)
    hourly = line.split()[1] == "*"
    fires = []
    moment = start - start % 60 - 2 * 86400
    local = datetime.datetime.fromtimestamp(moment - 60, info).replace(tzinfo=None)
    while moment < start + 3 * 86400:
        reading = datetime.datetime.fromtimestamp(moment, info)
        now = reading.replace(tzinfo=None)
        hit = croniter.match(line, now) and (hourly or reading.fold == 0)
        skipped = local + datetime.timedelta(minutes=1)
        while skipped < now and not hourly:
            hit = hit or croniter.match(line, skipped)
            skipped += datetime.timedelta(minutes=1)
        local = now
        if hit:
            fires.append(moment)
        moment += 60
    return [f for f in fires if f > start][:6], [f for f in reversed(fires) if f < start][:4]


rows = []
for index in range(160):
    line = FIXED[index] if index < len(FIXED) else " ".join(
        [field(0, 59), field(0, 23), field(1, 31), field(1, 12, MONTHS), field(0, 6, DAYS)])
    start = stamp(2026, 1, 1) + random.randint(-10 * 365 * 86400, 20 * 365 * 86400)
    try:
        after, before = by_croniter(line, start)
    except Exception:
        continue  # a line that never happens
    rows.append((line, "UTC", start, after, before))

CHANGES = [
    ("Europe/Berlin", stamp(2026, 3, 29, 1)), ("Europe/Berlin", stamp(2026, 10, 25, 1)),
    ("America/New_York", stamp(2026, 3, 8, 7)), ("America/New_York", stamp(2026, 11, 1, 6)),
    ("Australia/Lord_Howe", stamp(2026, 4, 4, 15)), ("Australia/Lord_Howe", stamp(2026, 10, 3, 15, 30)),
    ("Asia/Beirut", stamp(2026, 3, 28, 22)), ("Pacific/Apia", stamp(2011, 12, 30, 10)), ("Asia/Kolkata", stamp(2026, 5, 5)),
]
LINES = [
    "30 2 * * *", "0 3 * * *", "*/15 * * * *", "15 */2 * * *", "0 0 * * *", "*/20 1-2 * * *", "45 1 * * 0", "10 2,14 * * 1-5",
    "0 * * * *", "30 0 * * *",
]
for zone, change in CHANGES:
    for line in LINES:
        for _ in range(2):
            start = change + random.randint(-30 * 3600, 4 * 3600)
            after, before = by_minutes(line, zone, start)
            rows.append((line, zone, start, after, before))

lines = ["|".join([line, zone, str(start), " ".join(map(str, after)), " ".join(map(str, before))])
         for line, zone, start, after, before in rows]
header = '''/// Made by make_cron_table.py. Each row: line, time zone, a moment, those after it, those before it with the last first.
let cronTable = """
'''
path = pathlib.Path(__file__).with_name("CronTable.swift")
path.write_text(header + "".join(f"    {line}\n" for line in lines) + '    """\n')
print(len(rows), "rows")
