"""Starts a stand-in: `python -I -S launch.py PRODUCT PROGRAM ARGUMENT…`.

Without site packages and environment, so that it is up in a few hundredths of a second; the project's own
modules are found from here.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

PROGRAMS = {
    ("system", "unicorn"): "portal", ("system", "rake"): "rake", ("system", "sidekiq"): "sidekiq",
    ("system", "curl"): "curl", ("backend", "3scale_backend"): "portal", ("backend", "rake"): "backend_rake",
    ("backend", "curl"): "curl", ("zync", "puma"): "zync", ("zync", "rake"): "zync_rake", ("zync", "curl"): "curl",
    ("apicast", "apicast"): "portal", ("apicast", "curl"): "curl", ("searchd", "searchd"): "searchd",
}  # fmt: skip
"""Product and program -> the module here whose `main` is that program."""


def main() -> None:
    product, program, *arguments = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    module = importlib.import_module(f"orchestrator.rehearsal.standins.{PROGRAMS[product, program]}")
    sys.exit(module.main(arguments))


if __name__ == "__main__":
    main()
