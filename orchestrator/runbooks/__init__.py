"""Runbooks: pure functions from what was found, and a bundle, to a plan.

    threescale   the whole of guide 9.5, put together from
    apps         9.5, 9.5.6, 9.5.7, 9.5.8: 3scale's own programs
    objects      9.5.1: Secrets, ConfigMaps, the APIManager
    databases    9.5.2, 9.5.3, 9.5.4: SQL databases and files
    redis        9.5.5
    options      what a person can say about a restore
    preflight    what speaks against it
"""
