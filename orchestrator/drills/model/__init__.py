"""A model of an installation, behind the same port as the live cluster.

It is a model, not a mock: things behave as the real ones do where a restore depends on it, and time passes
by looks. What cannot happen on a cluster, and what a restore must never do, raises Impossible: that fails
the test.

    redis    the two Redis and their ConfigMap
    apps     3scale's own programs, the APIManager and its operator
    contents  what databases hold, and a job as a value
    sql      databases, and jobs in pods
    storage  files, routes, objects
    whole    all of it, by release
"""

from orchestrator.drills.model.redis import Impossible, ModelCluster, Server
from orchestrator.drills.model.whole import RELEASES, WholeCluster

__all__ = ["RELEASES", "Impossible", "ModelCluster", "Server", "WholeCluster"]
