"""What a journal can tell afterwards: nothing here acts, looks at a cluster, or writes a fact.

    reading       facts out of a journal, with who recorded each
    story         a run as lives, steps, attempts, retries: what every report below is made from
    redecide      every move of a run decided again by today's program
    comparison    two restores, or one at two facts, side by side
    proving       chain, legality, epochs, anchor: one verdict
    signing       the head of a chain, signed with Ed25519
    page/         the report as one HTML file; markdown the same as a document
    exports/      jsonl, CloudEvents, OTLP, Prometheus, an archive of evidence

They know facts by their shape (a step's fact, an effect, a confirmation) and by their sentence, so a fact
that is added later is told without a change here.
"""
