"""A run for other programs: each module is one format, a function from a story to text or bytes.

    jsonl         the facts themselves, one JSON object a line
    cloudevents   CloudEvents 1.0, structured JSON, one event a fact
    otlp          OTLP/JSON: spans run -> step -> attempt
    prometheus    a textfile for the node exporter
    evidence      an archive that proves itself, with a verifier that needs Python's standard library alone
"""
