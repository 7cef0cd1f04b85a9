"""Every global name that the code reads exists.

Neither ruff nor pyright can tell: both take jaxtyping's shape strings for names and are told to be quiet.
"""

import builtins
import dis
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import CodeType, ModuleType

import pytest

import kinesight

MODULES = [module.name for module in pkgutil.walk_packages(kinesight.__path__, "kinesight.")]


def missing_names(source: str, module: ModuleType) -> set[str]:
    """Globals that functions of the source read and that neither the module nor Python has."""
    whole = compile(source, module.__name__, "exec", dont_inherit=True)
    return set(names_in_functions(whole)) - vars(module).keys() - vars(builtins).keys()


def names_in_functions(code: CodeType) -> Iterator[str]:
    """A class body reads names that it has set itself; functions do not, they are optimised code."""
    if code.co_flags & inspect.CO_OPTIMIZED:
        yield from (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in_functions(constant)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_names_exist(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    with open(module.__file__) as file:
        assert missing_names(file.read(), module) == set()


def test_a_missing_name_is_found() -> None:
    module = ModuleType("sample")
    exec("def there(): pass", vars(module))
    source = (
        "def there(): pass\nclass A:\n    b = 1\n    def f(self):\n        return there(), gone(), len(self)"
    )
    assert missing_names(source, module) == {"gone"}
