"""Which licences the crates of others may have: those that deny.toml accepts."""

import re
import tomllib
from pathlib import Path

from license_expression import get_spdx_licensing

ROOT = Path(__file__).resolve().parents[2]


def accepted(root=ROOT):
    return set(tomllib.loads((root / "deny.toml").read_text())["licenses"]["allow"])


def changed_copy(crate):
    """Whether the crate is one of others of which the repository has a changed copy."""
    return Path(crate["manifest_path"]).is_relative_to(ROOT / "vendor")


def of_others(crate):
    """Whether others have written the crate: it comes from crates.io, or is a changed copy of such a
    crate."""
    return crate["source"] is not None or changed_copy(crate)


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
