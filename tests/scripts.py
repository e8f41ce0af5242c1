"""Programs of the project that stand in no package, as modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def load(name: str) -> ModuleType:
    """Load a fresh copy of a program by its path in the project, without running it."""
    spec = importlib.util.spec_from_file_location(name, ROOT / name)
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses look for a module's names.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
