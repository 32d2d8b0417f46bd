"""A live cluster, behind the two words of orchestrator.port. The only place that imports kubernetes or aiohttp's client.

    connection   a kubeconfig -> one client, with its own time-outs and without hidden retries
    rest         requests with plain dictionaries
    faults       temporary, unknown or permanent: one taxonomy of what may go wrong on the way
    execs        exec over WebSocket: v5, then v4
    pods         commands in the very container that was seen
    scripts      the constant sh scripts that run in pods; values travel as arguments. Beside it, by concern:
                 job_scripts, programs, sql_scripts, tree_scripts
    copying      bytes into a pod and out of it, chunk by chunk over several lines; beside it, sources and pace
    files, directories, jobs, databases          what is in pods
    workloads, rollouts, manager, hooks, objects what is in the namespace
    leases       one run at a time
    live         Reader and Cluster: all of these under the words of orchestrator.port
"""
