"""The keys of the reflexes: signers, the root that says which signers are good, devices' keys, the API's token."""

from actuation.keys.files import KeysError
from actuation.keys.ring import KeyRing

__all__ = ["KeyRing", "KeysError"]
