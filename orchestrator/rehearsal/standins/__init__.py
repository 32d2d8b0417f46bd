"""Programs that stand for those of 3scale's images, each a process of its own in a pod. Standard library only.

They find one another as pods do, by the names of Services: `<root>/services/<name>` holds the loopback port
that is the Service's. What they are not is in STAND_INS.
"""

STAND_INS = (
    "system-app, backend-listener, zync and apicast answer /status and little more: no portal, no API, no gateway.",
    "`bundle exec rake` knows the tasks that a restore needs (`rake --tasks` lists them), written anew against real databases.",
    "openshift:deploy makes a small schema and its master and first tenant; it migrates by noting a version.",
    "backend:storage:rewrite writes services, applications, metrics and provider keys, without keys, filters and limits.",
    "system-sidekiq works off queue:zync alone, zync notes what it hears, zync-que makes one Route for each host.",
    "A host that has a Route already gets no second one, where zync would look for it by its record.",
    "system-sphinx and system-searchd keep counts of rows in a file; nothing can be searched.",
    "system-memcache, backend-worker, backend-cron and the operator's pod wait to be stopped; the operator acts in the cluster.",
    "The router admits Routes and serves none.",
    "curl in these pods asks Services by name, GET and HEAD only.",
)
"""What has no real part in a rehearsal, one sentence each."""
