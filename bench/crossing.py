"""Smart crossing: a simulated week through the city's own scenario; share lit before the first step off the kerb.

The truth is the simulator's (`simulator/crossing`): who comes and when they step off; the radar has noise, misses,
dropouts and ghosts. The engine is the real one, with the file of the city.
"""

from __future__ import annotations

from collections import Counter

from bench.lib.crossing import KINDS, Measured, measure
from bench.lib.table import BenchTable, Goal, Options, quantile

WEEK_H = 168.0


def run(options: Options) -> BenchTable:
    hours = options.days * 24.0 if options.days else max(1.0, WEEK_H * options.scale)
    found = measure(hours, from_hour=0 if hours >= 24 else 8)
    table = BenchTable("Smart crossing", ["who", "stepped off", "lit before", "share %"])
    for kind in KINDS:
        lit, all_ = found.lit_before(kind)
        table.rows.append([kind, all_, lit, 100 * lit / all_ if all_ else None])
    lit, all_ = found.lit_before()
    table.rows.append(["all", all_, lit, 100 * lit / max(all_, 1)])
    after = found.after_empty_s or [0.0]
    false = len(found.false_intervals) / hours
    table.goals = [
        Goal("lit before the first step, %", 100 * lit / max(all_, 1), 99.0, "higher"),
        Goal("false lightings an hour", false, 6.0, "lower"),
        Goal("seconds lit after empty, p95", quantile(after, 0.95), 8.0, "lower"),
    ]
    table.notes = notes(found)
    return table


def notes(found: Measured) -> list[str]:
    after = found.after_empty_s or [0.0]
    lit_s = sum(end - begin for begin, end in found.lit)
    causes = Counter(found.caused_by(begin) for begin, _ in found.false_intervals)
    return [
        f"{found.hours:g} h, {len(found.people)} people, {found.messages:,} radar messages, {len(found.lit)} lightings",
        f"lit after empty: mean {sum(after) / len(after):.1f} s, p95 {quantile(after, 0.95):.1f} s; "
        f"light {lit_s / found.hours / 36:.1f} % of the time",
        "false lightings were for: " + ", ".join(f"{kind} {count}" for kind, count in causes.most_common()),
        "not seen in time: who comes while the radar is blind (2 dropouts an hour of 3 s on average)",
    ]
