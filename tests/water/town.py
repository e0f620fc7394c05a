"""A small seeded town for tests: two inlets, a grid, an area after a reducing valve, and a tank that a pump fills."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDE = 5
FLOW_LINKS = ("in1", "in2", "pump")
TANKS = ("tank",)
PRESSURES = ("g00", "g04", "g22", "g40", "g44", "g13", "g31", "v1", "h1")


def write_town(folder: Path) -> Path:
    """Writes town.inp (units CMH) and returns its path."""
    random = np.random.default_rng(5)
    lines = ["[JUNCTIONS]"]
    for x in range(SIDE):
        for y in range(SIDE):
            kind = "office" if (x + 2 * y) % 5 == 0 else "home"
            lines.append(f" g{x}{y} {random.uniform(5, 15):.2f} {random.uniform(0.8, 2.4):.3f} {kind}")
    lines += [" v0 5 0 home", " v1 4 1.5 home", " v2 4 1.2 home", " h0 30 0 home", " h1 31 1.0 home", " h2 32 0.8 home"]
    lines += ["[RESERVOIRS]", " r1 60", " r2 60", "[TANKS]", " tank 70 2 0 4 9 0"]
    lines += ["[PIPES]", " in1 r1 g00 200 250 120", " in2 r2 g44 200 250 120"]
    for x in range(SIDE):
        for y in range(SIDE):
            if x + 1 < SIDE:
                lines.append(f" e{x}{y} g{x}{y} g{x + 1}{y} {random.uniform(80, 160):.1f} 100 110")
            if y + 1 < SIDE:
                lines.append(f" n{x}{y} g{x}{y} g{x}{y + 1} {random.uniform(80, 160):.1f} 100 110")
    lines += [" pv1 v0 v1 150 80 110", " pv2 v1 v2 150 80 110"]
    lines += [" ph0 tank h0 100 100 110", " ph1 h0 h1 200 80 110", " ph2 h1 h2 150 80 110"]
    lines += ["[VALVES]", " prv g40 v0 100 PRV 30 0", "[PUMPS]", " pump g04 tank HEAD lift"]
    lines += ["[CURVES]", " lift 6 40"]
    lines += ["[CONTROLS]", " LINK pump CLOSED IF NODE tank ABOVE 3.5", " LINK pump OPEN IF NODE tank BELOW 1.0"]
    lines += ["[PATTERNS]"]
    hours = np.arange(24)
    home = 0.5 + 0.7 * np.exp(-(((hours - 8) / 3) ** 2)) + 0.6 * np.exp(-(((hours - 19) / 3) ** 2))
    office = 0.2 + 1.4 * np.exp(-(((hours - 13) / 4) ** 2))
    for name, course in (("home", home), ("office", office)):
        for start in range(0, 24, 6):
            lines.append(f" {name} " + " ".join(f"{value:.3f}" for value in course[start : start + 6]))
    lines += ["[TIMES]", " Duration 24", " Hydraulic Timestep 1:00", " Pattern Timestep 1:00", " Report Timestep 1:00"]
    lines += ["[OPTIONS]", " Units CMH", " Headloss H-W", " Accuracy 0.0001", " Trials 100", "[COORDINATES]"]
    lines += [f" g{x}{y} {100 * x} {100 * y}" for x in range(SIDE) for y in range(SIDE)]
    path = folder / "town.inp"
    path.write_text("\n".join([*lines, "[END]", ""]))
    return path
