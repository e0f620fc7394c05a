"""ring.json: what there is of keys and since when; the secrets themselves are files of their own beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

RING, KEYSET, ROOT, TOKEN = "ring.json", "keyset.jws", "root.key", "api-token"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Signer(_Model):
    """One Ed25519 key of the city. Devices accept it from `created` until `revoked`; it signs from `signs_from`."""

    kid: str
    public: str
    """32 bytes in base64url."""
    created: AwareDatetime
    signs_from: AwareDatetime
    revoked: AwareDatetime | None = None

    @property
    def file(self) -> str:
        return f"signer-{self.kid}.key"


class Master(_Model):
    """One generation of the secret that devices' keys are derived from."""

    generation: Annotated[int, Field(ge=1)]
    created: AwareDatetime
    revoked: AwareDatetime | None = None

    @property
    def file(self) -> str:
        return f"devices-{self.generation}.key"


class Record(_Model):
    """The whole file. device_serials: devices whose own key was revoked, and the number of their present one."""

    city: str
    root_public: str
    keyset_seq: int
    signers: tuple[Signer, ...]
    masters: tuple[Master, ...]
    device_serials: dict[str, int] = {}

    def good_signers(self) -> tuple[Signer, ...]:
        return tuple(signer for signer in self.signers if signer.revoked is None)

    def good_masters(self) -> tuple[Master, ...]:
        """Newest first."""
        return tuple(sorted((m for m in self.masters if m.revoked is None), key=lambda m: -m.generation))

    def signing(self, now: datetime) -> Signer | None:
        """The newest good signer whose time has come; the oldest, where our clock is before all of them."""
        good = self.good_signers()
        ready = [signer for signer in good if signer.signs_from <= now]
        first = min(good, key=lambda signer: (signer.signs_from, signer.created), default=None)
        return max(ready, key=lambda signer: (signer.signs_from, signer.created), default=first)
