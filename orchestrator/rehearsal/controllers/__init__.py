"""The workload controllers: what makes Deployments, DeploymentConfigs, Jobs and the like come true.

Each watches the store and writes to it; none talks to a client, and none knows how pods run.
"""
