"""A module of this package as a process of its own, while a block of code runs."""

import json
import subprocess
import sys
from pathlib import Path


class Beside:
    """It works until its stdin is closed, and then prints what it has found as JSON: `found`, once the block
    is over."""

    def __init__(self, module, *words):
        command = [sys.executable, "-B", "-m", f"harness.{module}", *map(str, words)]
        here = Path(__file__).parents[1]
        self.process = subprocess.Popen(command, cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.found = None

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        try:
            out, _ = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        if not failed:
            self.found = json.loads(out)
