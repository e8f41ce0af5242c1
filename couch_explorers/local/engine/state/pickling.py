"""Bytes of the engine's own objects: what a process holds only while it runs, such as locks and threads, is made anew."""

import io
import pickle
import threading
from collections.abc import Callable
from types import FunctionType, LambdaType
from typing import Any
from weakref import WeakValueDictionary

import dill

# Reducers by exact type: what stands in the bytes for an object of that type.
Reducer = Callable[[Any], tuple[Any, ...]]


def _nothing() -> None:
    """Stands for what does not outlive a process."""


def _import_lock_types() -> dict[type, Reducer]:
    return {
        type(threading.RLock()): lambda _: (threading.RLock, ()),
        type(threading.Lock()): lambda _: (threading.Lock, ()),
        threading.Thread: lambda _: (_nothing, ()),
        # Its entries live in other containers too, which put them back when they are asked for.
        WeakValueDictionary: lambda _: (WeakValueDictionary, ()),
    }


REDUCERS: dict[type, Reducer] = _import_lock_types()


class _Pickler(pickle.Pickler):
    """The C pickler, with reducers of our own; dill, which is many times slower, writes only functions without a name."""

    def reducer_override(self, value: Any) -> Any:
        """Answer for the types that pickle cannot write, or that are to be written otherwise."""
        kind = type(value)
        if (reducer := REDUCERS.get(kind)) is not None:
            return reducer(value)
        if kind in (FunctionType, LambdaType) and "<" in value.__qualname__:
            return dill.loads, (dill.dumps(value),)
        return NotImplemented


def dumps(value: Any) -> bytes:
    """The bytes of an object graph, which may change meanwhile: then it is read again."""
    while True:
        file = io.BytesIO()
        try:
            _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
        except RuntimeError as error:
            if "changed size during iteration" not in str(error):
                raise
            continue
        return file.getvalue()


def loads(content: bytes) -> Any:
    """The object graph that `dumps` wrote."""
    return pickle.loads(content)  # noqa: S301 - only from the journal, which is the user's own file
