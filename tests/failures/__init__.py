"""`scripts/explain-failures`: makes failures and waits on a running cluster, and writes down what heddle says
of them."""
