"""The copy of the tree in which bugs are planted, and what is built of it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUSEUM = ROOT / "ci/museum"
SCRATCH = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "museum"
TREE = SCRATCH / "tree"
# General weather, none of it written for one bug; in turns, a few seeds of each first.
FILES = [
    "five-swarm", "three-watches", "five-ambushes", "five-times-to-live", "five-crashes",
    "three-partitions", "five-damage", "three-disk-errors", "three-stalls-and-pauses",
    "five-duplicates",
]


def call(*command, cwd=ROOT):
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def fail(what):
    sys.exit(f"ci/museum/run: {what}")


def state():
    """What the measurements depend on, as one word."""
    parts = ["Cargo.lock", "ci/museum", "engine", "scenarios", "server/recipes", "sim"]
    trees = call("git", "rev-parse", *(f"HEAD:{part}" for part in parts))
    return "".join(line[:8] for line in trees.split())


def copy_tree():
    """A clone of its own, at HEAD: only files that changed look new to cargo."""
    if not (TREE / ".git").exists():
        call("git", "clone", "-q", "--shared", "--no-checkout", ROOT, TREE)
    call("git", "fetch", "-q", ROOT, "HEAD", cwd=TREE)
    call("git", "checkout", "-qf", "--detach", "FETCH_HEAD", cwd=TREE)
    call("git", "apply", MUSEUM / "deaf.diff", cwd=TREE)
    call("git", "add", "-A", cwd=TREE)


def build():
    target = SCRATCH / "target"
    command = ["cargo", "build", "-q", "--release", "--locked", "-p", "quorate-sim"]
    # A bug changes little, and what is built runs for seconds.
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target),
                   "CARGO_PROFILE_RELEASE_DEBUG": "0", "CARGO_PROFILE_RELEASE_INCREMENTAL": "true"}
    if subprocess.run([*command, "--bin", "quorate-sim"], cwd=TREE, env=environment).returncode:
        fail("what is planted does not compile any more: plant the same mistake anew")
    return target / "release/quorate-sim"


def clean_build(word):
    binary = SCRATCH / f"clean-{word}"
    if not binary.exists():
        [old.unlink() for old in SCRATCH.glob("clean-*")]
        shutil.copy(build(), binary)
    return binary


def weather(without):
    """The files, with some lines left out of each."""
    lines = re.compile(rf"^({'|'.join(without)})\s*=.*\n", re.M) if without else None
    (SCRATCH / "weather").mkdir(exist_ok=True)
    left_out = 0
    for name in FILES:
        text = (TREE / f"scenarios/weather/{name}.toml").read_text()
        if lines:
            text, count = lines.subn("", text)
            left_out += count
        (SCRATCH / f"weather/{name}.toml").write_text(text)
    if without and not left_out:
        fail(f"no file has {' or '.join(without)}")
