"""Restores that die on purpose: on a model of an installation, and as real processes on the embedded cluster.

    model      an installation in memory, behind the same port as the live cluster
    histories  a journal in memory, a clock that jumps, lanes by a seed: lives that end at any boundary
    faults     the model behind a bad line, by a seed
    mortal     boundaries around everything that lasts, for real processes
    processes  real processes killed with SIGKILL on the embedded cluster
"""
