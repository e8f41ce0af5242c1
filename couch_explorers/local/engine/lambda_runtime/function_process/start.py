"""The first file that a function's process runs: AWS's runtime client on an import path like Lambda's.

Runs under the functions' own Python, outside of this package: `start.py HANDLER [LAYER_FOLDER…]`.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run AWS's runtime client for the handler that is given as the first argument."""
    # AWS's client is imported before the function's folders are on the path: a copy of it in the archive does not take its place.
    portable = str(Path(__file__).with_name("portable"))
    sys.path[0] = portable
    sys.path.append(sys.path.pop(0))  # last, so that it serves only where AWS's native module is not installed
    from awslambdaric import __main__ as runtime

    sys.path.remove(portable)
    handler, *layers = sys.argv[1:]
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], *layers]
    sys.argv = ["awslambdaric", handler]
    runtime.main(sys.argv)


main()
