"""The command `scripts/test`: everything that a change has to pass, in parts that can be run alone.

`parts.py` is the list of the parts, `run.py` what they need and share (a cluster, the package, releases of
Flink), `counts.py` reads what a part's tests came to, and `record.py` writes that into docs/compatibility.md.
"""
