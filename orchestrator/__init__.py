"""The restore itself: a pure core and a dull shell.

Pure (no clock, no randomness, no file, no socket):
    events       what can have happened, as facts
    state        the table of a step's life, and fold(facts) -> RunState
    decide       the whole policy: decide(state, now) -> every move that may run now
    plan         the steps as data, with a digest
    effects      every change this program can make to a cluster
    findings     what is right and wrong with a bundle and an installation
    steps/       one file per step kind: probe, standing, do, undo
    runbooks/    a pure function (installation, bundle, options) -> plan
Shell:
    engine       decide -> perform -> append, the only place where all meet
    recorder     state beside the journal: the illegal is refused before it is written
    runs         opening, resuming and taking back a run
    observe      what is on the cluster, looked at once
    bundle, rdb  the backup files
    clock        the time, and waiting for it
    cluster/     a live cluster, through the kubernetes client and our own exec
    rehearsal/   the embedded cluster
"""
