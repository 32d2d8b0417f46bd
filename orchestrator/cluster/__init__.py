"""A live cluster, behind the two words of orchestrator.port. The only place that imports kubernetes or aiohttp's client.

    connection   a kubeconfig -> one client, with its own time-outs and without hidden retries
    rest         requests with plain dictionaries; its errors translated once
    execs        exec over WebSocket: v5, then v4
    scripts      the constant sh scripts that run in pods; values travel as arguments
    copying      a file into a pod, chunk by chunk
    live         Reader and Cluster
"""
