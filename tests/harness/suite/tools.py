"""Other programs: how they are run, and what scripts/lib.sh has for all scripts."""

import os
import subprocess
import sys
from pathlib import Path

from ..hadoop.environment import ROOT, Failure, say

LIBRARY = 'set -euo pipefail; . scripts/lib.sh; "$@"'


def run(*command, env=None, cwd=ROOT, quiet=False):
    """Runs a command; one that fails is a failure. `quiet` keeps its stdout, which is for programs, off the
    terminal."""
    words = list(map(str, command))
    out = subprocess.DEVNULL if quiet else None
    code = subprocess.run(words, cwd=cwd, env=environment(env), stdout=out).returncode
    if code != 0:
        raise Failure(f"`{Path(words[0]).name} {' '.join(words[1:4])}` ended with exit code {code}")


def output(*command, env=None, cwd=ROOT):
    """The stdout of a command, without the end of its last line."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment(env), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"`{Path(str(command[0])).name}` ended with exit code {done.returncode}")
    return done.stdout.strip()


def lines_of(*command, env=None, cwd=ROOT):
    """Runs a command, shows what it prints, and gives its exit code and its lines."""
    words = list(map(str, command))
    process = subprocess.Popen(
        words, cwd=cwd, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    lines = []
    with process:
        try:
            for line in process.stdout:
                lines.append(line)
                sys.stderr.write(line)
                sys.stderr.flush()
        except BaseException:
            # Whoever interrupts this run does not wait for the end of the command.
            process.terminate()
            raise
    return process.returncode, lines


def environment(more):
    return os.environ | {key: str(value) for key, value in (more or {}).items()}


def library(*words):
    """Calls a function of scripts/lib.sh, and gives what it prints."""
    return output("bash", "-c", LIBRARY, "scripts/test", *words)


def try_library(*words):
    """Whether a function of scripts/lib.sh has succeeded."""
    try:
        library(*words)
    except Failure:
        return False
    return True


def exported(text):
    """The variables that a script's lines `export NAME=VALUE` set."""
    told = output("env", "-i", "bash", "-c", 'eval "$1"; env -0', "bash", text)
    pairs = (variable.partition("=")[::2] for variable in told.split("\0") if variable)
    return {name: value for name, value in pairs if f"export {name}=" in text}


__all__ = ["Failure", "ROOT", "exported", "library", "lines_of", "output", "run", "say", "try_library"]
