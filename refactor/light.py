"""What modules that are read at every start need of ``typing`` and ``importlib``, without their import.

``typing`` costs a third of Python's own start, and each ``typing.NamedTuple`` class compiles its annotations once more.
Type checkers see the original names; at run time :class:`NamedTuple` is a base of the same behaviour (a tuple with
named fields, defaults, ``_replace``, ``_asdict``, pickling), made without looking at the annotations' types.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False


def import_module(name: str) -> ModuleType:
    """:func:`importlib.import_module` for absolute names; the package ``importlib`` imports ``warnings`` first."""
    __import__(name)
    return sys.modules[name]


if TYPE_CHECKING:
    from types import ModuleType
    from typing import NamedTuple as NamedTuple
else:
    from _collections import _tuplegetter

    _make_tuple = tuple.__new__

    class _RecordType(type):
        """Makes each subclass of :class:`NamedTuple` a tuple with one getter a field."""

        def __new__(cls, name, bases, namespace):
            if not bases:
                return type.__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            for index, field in enumerate(fields):
                namespace[field] = _tuplegetter(index, "")

            def compile_and_make(_cls, /, *args, **kwargs):
                # Most records of a run are never made: each gets its own function with its first one.
                parameters = ", ".join(fields)
                make = eval(
                    f"lambda _cls, {parameters}: _make_tuple(_cls, ({parameters},))",
                    {"_make_tuple": _make_tuple, "__builtins__": {}},
                )
                make.__name__, make.__qualname__ = "__new__", f"{name}.__new__"
                make.__defaults__ = tuple(defaults.values()) or None
                record.__new__ = staticmethod(make)
                return make(_cls, *args, **kwargs)

            namespace.update(
                __slots__=(), __new__=compile_and_make, __match_args__=fields, _fields=fields, _field_defaults=defaults
            )
            record = type(name, (_Record,), namespace)
            return record

    class _Record(tuple):
        """What all records share; collections.namedtuple says what each method does."""

        __slots__ = ()
        _fields = ()

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, /, **changes):
            fields = self._fields
            made = _make_tuple(type(self), map(changes.pop, fields, self))
            if changes:
                raise ValueError(f"Got unexpected field names: {list(changes)!r}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self))

        def __repr__(self):
            values = ", ".join(f"{field}={value!r}" for field, value in zip(self._fields, self))
            return f"{type(self).__name__}({values})"

        def __getnewargs__(self):
            return tuple(self)

    class NamedTuple(metaclass=_RecordType):
        """The base to write after a record's name: ``class Place(NamedTuple): line: int``."""
