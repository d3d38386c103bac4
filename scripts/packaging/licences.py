"""Which licences the crates of others may have: those that deny.toml accepts."""

import re
import tomllib
from pathlib import Path

from license_expression import get_spdx_licensing

ROOT = Path(__file__).resolve().parents[2]


def accepted(root=ROOT):
    return set(tomllib.loads((root / "deny.toml").read_text())["licenses"]["allow"])


def expression(crate):
    """The licence of a crate as an SPDX expression; old crates have a slash for OR."""
    return re.sub(r"\s*/\s*", " OR ", crate["license"] or "")


def unacceptable(crates, allowed=None):
    """The crates that leave us no choice among the accepted licences."""
    spdx, allowed = get_spdx_licensing(), accepted() if allowed is None else allowed
    for crate in crates:
        parsed = spdx.parse(expression(crate) or "NONE")
        known = {symbol: spdx.TRUE if symbol.render() in allowed else spdx.FALSE for symbol in parsed.symbols}
        if parsed.subs(known).simplify() != spdx.TRUE:
            yield crate
