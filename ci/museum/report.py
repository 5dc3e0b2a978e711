"""What `ci/museum/run` has measured of one state of the tree, as Markdown."""

import json
import re
import subprocess
import sys
import tomllib
from statistics import median

# Weather that is no fault by itself, but bounds and load.
NO_FAULT = {"engine", "down"}
# A panic ends the run itself: nothing can make it go on.
CANNOT_BE_SILENCED = "no panic"


def oracles(root):
    """The names of all that may object, from where they are written."""
    found = {}
    places = [
        ("sim/src/properties/*.rs", r'fn name\(&self\) -> &\'static str \{\s*"([^"]+)"'),
        ("sim/src/check/violation.rs", r'=> "([^"]+)",\n'),
        ("sim/src/weather/*.rs", r'fail\(\s*"([^"]+)"|NO_PANIC: &str = "([^"]+)"'),
    ]
    for files, pattern in places:
        for file in sorted(root.glob(files)):
            text = file.read_text()
            if file.name == "violation.rs":
                text = text[text.index("fn oracle"):].split("\n    }\n")[0]
            for names in re.findall(pattern, text):
                found.setdefault(names if isinstance(names, str) else names[0] or names[1])
    return list(found)


def faults(root, files):
    """Every kind of fault, link, clock and disk trouble that the files have."""
    kinds = {}
    for name in files:
        weather = tomllib.loads((root / f"scenarios/weather/{name}.toml").read_text())
        for section, values in weather.items():
            if isinstance(values, dict) and section not in NO_FAULT:
                kinds.update(dict.fromkeys(values))
    return list(kinds)


def tables(root, results, word, files):
    text = results.read_text() if results.exists() else ""
    rows = [json.loads(line) for line in text.splitlines()]
    rows = [row for row in rows if row["state"] == word]
    full = {row["bug"]: row for row in rows if not row["without"]}
    if not any(row["file"] for row in full.values()):
        sys.exit("ci/museum/run: nothing has been measured of this commit yet")
    head = subprocess.run(["git", "log", "-1", "--format=%h of %cs"], cwd=root, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"Measured at {head}.\n")
    bugs(full)
    objections(root, full)
    needs(root, files, rows, full)


def bugs(full):
    caught = [row for row in full.values() if row["file"]]
    print("| bug | caught by | oracle | seeds | seconds |\n|---|---|---|---|---|")
    for name, row in sorted(full.items()):
        by = f"{row['file']} {row['seed']}" if row["file"] else "not caught"
        print(f"| {name} | {by} | {row.get('oracle', '')} | {row['seeds']} | {row['seconds']} |")
    seeds = median(row["seeds"] for row in caught)
    print(f"\n{len(caught)} of {len(full)} caught; median {seeds:g} seeds.\n")


def objections(root, full):
    print("| oracle | objects alone to | first, but not alone, to |\n|---|---|---|")
    for oracle in oracles(root):
        alone, first = [], []
        for name, row in sorted(full.items()):
            if row.get("oracle") == oracle and oracle == CANNOT_BE_SILENCED:
                first.append(f"{name} (it cannot be silenced)")
            elif row.get("oracle") == oracle and row["then"]:
                first.append(f"{name} (then {row['then']}, {row['then_seeds']})")
            elif row.get("oracle") == oracle:
                alone.append(f"{name} (of {row['then_seeds']} seeds)")
        print(f"| {oracle} | {', '.join(alone) or 'not yet shown'} | {', '.join(first)} |")
    print()


def needs(root, files, rows, full):
    print("| left out | no longer caught | still caught |\n|---|---|---|")
    for kind in faults(root, files):
        tried = {row["bug"]: row for row in rows
                 if row["without"] == [kind] and full.get(row["bug"], {}).get("file")}
        missed = [f"{name} ({full[name]['seeds']} seeds with it, none of {row['seeds']} without)"
                  for name, row in tried.items() if not row["file"]]
        still = [f"{name} ({row['seeds']})" for name, row in tried.items() if row["file"]]
        if not tried:
            continue
        print(f"| {kind} | {', '.join(missed) or 'not yet shown'} | {', '.join(still)} |")
