"""Restores that die on purpose: on a model of an installation, and as real processes on the embedded cluster.

    model      an installation in memory, behind the same port as the live cluster
    mortal     boundaries around everything that lasts, and the four kinds of them
    deeds      what was done, as the world counts it, and what of it twice
    histories  a journal in memory, a clock that jumps, lanes by a seed: lives that end at any boundary

    matrix     a death at every boundary, and what comes of it
    pictures   what a death leaves, as a digest: equal ones have one future
    sweep      the whole matrix on all cores, with pairs of deaths
    processes  the same with real processes, killed with SIGKILL on the embedded cluster

    faults     the model behind a bad line, by a seed
    seeds      one seed, one history: faults, deaths, people; storm and swarm are what it is made of
    invariants what has to hold in each of them
"""
