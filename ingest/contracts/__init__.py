"""One module a feed. A feed is found by being here: there is no list to keep.

from ingest.contracts import CONTRACTS
CONTRACTS["vehicle_position"].spec.key
"""

from __future__ import annotations

import importlib
import pkgutil
from types import MappingProxyType

from ingest.contracts.contract import Contract, FeedSpec, Part

__all__ = ["CONTRACTS", "Contract", "FeedSpec", "Part"]


def _discover() -> dict[str, type[Contract]]:
    found: dict[str, type[Contract]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, Contract) and "spec" in vars(thing):
                if thing.spec.code != module_info.name:
                    raise TypeError(
                        f"{module.__name__}: the contract's code is {thing.spec.code!r}; name the module after it"
                    )
                found[thing.spec.code] = thing
    return dict(sorted(found.items()))


CONTRACTS = MappingProxyType(_discover())
