"""One device: takes messages, moves its body, answers. Pure: no thread, no socket, no calendar.

Call `start` once, `take` for each message, and `tick` about every half second; each gives messages to publish with
QoS 1. `monotonic_s` is a clock that only runs forward, from wherever it likes.
"""

from __future__ import annotations

from typing import Any

from device.body import ENDS, GOALS, Body
from device.clock import Clock
from device.identity import Identity
from device.protocol import (
    Command,
    RefusedError,
    decode,
    encode,
    read_beacon,
    read_command,
    read_keyset,
    seal,
    topic,
)
from device.store import Answered, Commanded, Seen, State, Store

Messages = list[tuple[str, bytes]]

SETTLE_S = 5.0
"""A body that has not got there by its sensor after so long has failed."""

SENSE_S = 60.0
"""What the sensor says is sent when it changes, and so often when it does not."""

NOT_YET_MS = 2_000
"""How far a device's time may lie behind: a beacon's way, and drift."""

REMEMBERED = 64
"""Accepted commands whose answers are kept."""

N_BLOCK = 1_000
"""The counter is written down so many numbers ahead; a restart skips the rest."""

FLOOR_MS = 300_000
"""The time is written down so often, without any command: flash memory wears out."""

REFUSALS = 20
"""So many refusals at once, then one a second: whoever sends rubbish gets no flood in return."""


class Controller:
    def __init__(self, identity: Identity, body: Body, store: Store) -> None:
        self.identity = identity
        self._body, self._store = body, store
        self._state = store.load(f"{identity.city}/{identity.device_id}/{encode(identity.root).decode()}")
        if identity.keyset_seq >= self._state.keyset_seq:
            self._learn(identity.keyset_seq, identity.signers)
        else:
            self._signers = {kid: decode(text.encode()) for kid, text in self._state.signers.items()}
        self._n = self._n_saved = self._state.n
        self._clock = Clock(self._state.floor_ms, 0.0)
        self._clock_kid: str | None = None
        self._moving: tuple[Answered, str, float] | None = None
        self._told: tuple[str, float] | None = None
        self._refusals, self._refused_s = float(REFUSALS), 0.0
        self.save_failures = 0

    def start(self, monotonic_s: float) -> Messages:
        """After power came: the body is driven to what it was last told, since a relay falls off without power."""
        self._clock = Clock(self._state.floor_ms, monotonic_s)
        self._refused_s = monotonic_s
        self._end_lease(monotonic_s)
        commanded = self._state.commanded
        if commanded is not None:
            self._body.do(commanded.action, commanded.level, commanded.text)
            open_one = next((each for each in self._state.answered if each.answer is None), None)
            if open_one is not None:
                self._moving = (open_one, commanded.action, monotonic_s + SETTLE_S)
        return self.tick(monotonic_s)

    def take(self, on: str, payload: bytes, monotonic_s: float) -> Messages:
        """Never raises, whatever the bytes are."""
        parts = on.split("/")
        what = parts[4] if len(parts) == 6 else ""
        try:
            if what in ("command", "zone"):
                return self._obey(read_command(payload, self._signers), monotonic_s)
            if what == "clock":
                self._hear_time(payload, monotonic_s)
            elif what == "keys":
                self._hear_keys(payload, monotonic_s)
        except RefusedError as refused:
            if what in ("command", "zone"):
                return self._refuse(None, refused.reason, monotonic_s)
        return []

    def tick(self, monotonic_s: float) -> Messages:
        """What is due: the end of a command's time, the answer of a body that got there, a change that is sensed."""
        out = self._end_lease(monotonic_s)
        if self._moving is not None:
            answered, action, deadline = self._moving
            if self._body.state() in GOALS[action]:
                out += self._settle(answered, "done", None, monotonic_s)
            elif monotonic_s >= deadline:
                out += self._settle(answered, "failed", "not_reached", monotonic_s)
        return out + self._sense(monotonic_s)

    # ---- commands

    def _obey(self, command: Command, monotonic_s: float) -> Messages:
        me = self.identity
        if command.city == me.city and command.zone == me.zone_id and me.kind not in (command.kinds or (me.kind,)):
            return []  # another kind of device is meant
        before = next((each for each in self._state.answered if each.cid == command.cid), None)
        reason = self._objection(command, before, monotonic_s)
        if reason is not None:
            return self._refuse(command, reason, monotonic_s)
        if before is not None:  # a redelivery, or a retry: the same answer, and nothing moves
            return [(self._answers_on, before.answer.encode())] if before.answer is not None else []
        out = self._abandon(monotonic_s)
        answered = Answered(command.cid, command.seq, command.says())
        self._state.answered = [*self._state.answered[1 - REMEMBERED :], answered]
        self._seen(command.kid).command_seq = command.seq
        if command.mode == "drill":
            return out + self._settle(answered, "would_do", None, monotonic_s)
        until = command.exp if command.action in ENDS else None
        self._state.commanded = Commanded(command.action, command.level, command.text, until)
        self._save(monotonic_s)  # before anything moves: after a crash it is not done twice
        self._body.do(command.action, command.level, command.text)
        self._moving = (answered, command.action, monotonic_s + SETTLE_S)
        return out + self.tick(monotonic_s)

    def _objection(self, command: Command, before: Answered | None, monotonic_s: float) -> str | None:  # noqa: PLR0911
        """The first reason against it, in the order of the protocol page; None: it is accepted."""
        me = self.identity
        now = self._clock.now(monotonic_s)
        if command.city != me.city:
            return "wrong_city"
        if command.device not in (None, me.device_id):
            return "wrong_device"
        if command.zone not in (None, me.zone_id):
            return "wrong_zone"
        if before is not None:
            return None if before.says == command.says() else "repeated"
        if now is None:
            return "clock"
        if now >= command.exp:
            return "expired"
        if now + NOT_YET_MS < command.nbf:
            return "not_yet"
        if command.seq <= max((seen.command_seq for seen in self._state.seen.values()), default=-1):
            return "sequence"
        return None if command.action in me.actions else "unsupported"

    def _abandon(self, monotonic_s: float) -> Messages:
        """A newer command takes over: the one under way is answered with what the sensor says now."""
        if self._moving is None:
            return []
        answered, action, _ = self._moving
        there = self._body.state() in GOALS[action]
        return self._settle(answered, "done" if there else "failed", None if there else "not_reached", monotonic_s)

    def _settle(self, answered: Answered, result: str, reason: str | None, monotonic_s: float) -> Messages:
        self._moving = None if result != "would_do" else self._moving
        payload = self._answer(answered.cid, answered.seq, result, reason, monotonic_s)
        answered.answer = payload.decode()
        self._save(monotonic_s)
        return [(self._answers_on, payload)]

    def _refuse(self, command: Command | None, reason: str, monotonic_s: float) -> Messages:
        """command None: its signature is not good, so that nothing in it can be repeated as if it were true."""
        left = min(float(REFUSALS), self._refusals + max(0.0, monotonic_s - self._refused_s))
        self._refusals, self._refused_s = left, monotonic_s
        if left < 1:
            return []
        self._refusals = left - 1
        cid, seq = (command.cid, command.seq) if command else (None, None)
        return [(self._answers_on, self._answer(cid, seq, "refused", reason, monotonic_s))]

    def _end_lease(self, monotonic_s: float) -> Messages:
        """A command's time is over, with a network or without: doors by their policy, all else goes off."""
        commanded = self._state.commanded
        if commanded is None or commanded.until is None or self._clock.at_least(monotonic_s) < commanded.until:
            return []
        stays = commanded.action == "unlock" and self.identity.lease_end == "stay_open"
        action = commanded.action if stays else ENDS[commanded.action]
        out = self._abandon(monotonic_s)
        self._state.commanded = Commanded(action, None, None, None)
        self._save(monotonic_s)
        if not stays:
            self._body.do(action, None, None)
        return out

    # ---- time and keys

    def _hear_time(self, payload: bytes, monotonic_s: float) -> None:
        beacon = read_beacon(payload, self._signers)
        newest = max(self._state.seen.values(), key=lambda seen: seen.clock_seq, default=Seen())
        if beacon.city != self.identity.city or beacon.seq <= newest.clock_seq:
            return
        self._clock.set(beacon.now, beacon.now < newest.clock_ms, monotonic_s)
        self._clock_kid = beacon.kid
        seen = self._seen(beacon.kid)
        seen.clock_seq, seen.clock_ms = beacon.seq, beacon.now
        if abs(self._clock.at_least(monotonic_s) - self._state.floor_ms) >= FLOOR_MS:
            self._save(monotonic_s)

    def _hear_keys(self, payload: bytes, monotonic_s: float) -> None:
        keyset = read_keyset(payload, self.identity.root)
        if keyset.city != self.identity.city or keyset.seq <= self._state.keyset_seq:
            return
        self._learn(keyset.seq, keyset.keys)
        if self._clock_kid is not None and self._clock_kid not in keyset.keys:
            self._clock.forget(monotonic_s)  # a thief may have set it to any time
            self._clock_kid = None
        self._save(monotonic_s)

    def _learn(self, seq: int, keys: dict[str, bytes]) -> None:
        """What a signer that is gone has sent does not bind any more: it may have counted up to the end."""
        self._signers = dict(keys)
        self._state.keyset_seq = seq
        self._state.signers = {kid: encode(key).decode() for kid, key in keys.items()}
        self._state.seen = {kid: seen for kid, seen in self._state.seen.items() if kid in keys}

    def _seen(self, kid: str) -> Seen:
        return self._state.seen.setdefault(kid, Seen())

    # ---- messages

    @property
    def _answers_on(self) -> str:
        return topic(self.identity.city, "answer", self.identity.device_id)

    def _answer(self, cid: str | None, seq: int | None, result: str, reason: str | None, monotonic_s: float) -> bytes:
        body: dict[str, Any] = {"device": self.identity.device_id, "cid": cid, "seq": seq, "result": result}
        if reason is not None:
            body["reason"] = reason
        return self._seal({**body, "state": self._body.state()}, monotonic_s)

    def _sense(self, monotonic_s: float) -> Messages:
        out: Messages = []
        on = topic(self.identity.city, "sensed", self.identity.device_id)
        state = self._body.state()
        if self._told is None or self._told[0] != state or monotonic_s - self._told[1] >= SENSE_S:
            self._told = (state, monotonic_s)
            out.append((on, self._seal({"device": self.identity.device_id, "state": state}, monotonic_s)))
        while (reading := self._body.reading()) is not None:
            out.append((on, self._seal({"device": self.identity.device_id, "reading": reading}, monotonic_s)))
        return out

    def _seal(self, body: dict[str, Any], monotonic_s: float) -> bytes:
        self._n += 1
        if self._n >= self._n_saved:
            self._save(monotonic_s)
        return seal({**body, "at": self._clock.now(monotonic_s), "n": self._n}, self.identity.answer_key)

    def _save(self, monotonic_s: float) -> None:
        """A full or dead disk must not keep a shelter shut: it goes on in memory, and counts the failures."""
        self._n_saved = self._n + N_BLOCK
        self._state.n = self._n_saved
        self._state.floor_ms = int(self._clock.at_least(monotonic_s))
        try:
            self._store.save(self._state)
        except OSError:
            self.save_failures += 1

    @property
    def state(self) -> State:
        """For tests and for a maker's own diagnosis."""
        return self._state
