"""A pseudo-distributed Hadoop made of its real daemons, on this machine: `scripts/pseudo-cluster` and the
scenarios use it.

`parts.py` says what a cluster consists of: each part brings daemons, settings and checks. `cluster.py` starts
and stops the daemons of all parts, and `cli.py` is the command line. The package needs nothing but Python's
standard library.
"""
