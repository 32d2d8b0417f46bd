"""The bad line: a TCP proxy in front of an embedded cluster that cuts, stalls, delays and resets, by a seed.

TLS passes through it untouched, so every client can be put behind it: `ROOT/kubeconfig-line` leads through it.
It is a process of its own, as the cluster is, and ends with the cluster.
"""
