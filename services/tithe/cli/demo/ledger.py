"""What the simulated annotators saw on their side of the wire: proof that does not come from the server."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from tithe.client import BatchHandle


@dataclass
class _Held:
    """One hand-out of an item, and until when it is good."""

    batch_id: UUID
    annotator: str
    until: datetime


@dataclass
class Ledger:
    """Every hand-out, every acknowledged label, every waiting time. Several threads write to it."""

    waits_ms: list[float] = field(default_factory=list)
    counted: dict[str, str] = field(default_factory=dict)  #: item → label, as the server acknowledged it
    chosen_by: dict[str, int] = field(default_factory=dict)
    double_handouts: int = 0
    _held: dict[str, _Held] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handed_out(self, batch: BatchHandle, annotator: str, wait_ms: float, at: datetime) -> None:
        """Note a batch. An item that another batch may still answer counts as handed out twice."""
        with self._lock:
            self.waits_ms.append(wait_ms)
            for item in batch.items:
                before = self._held.get(item.item_id)
                if before is None:
                    self.chosen_by[item.chosen_by] = self.chosen_by.get(item.chosen_by, 0) + 1
                elif before.batch_id != batch.id and at < before.until:
                    self.double_handouts += 1
                self._held[item.item_id] = _Held(batch.id, annotator, batch.expires_at)

    def acknowledged(self, labels: dict[str, str]) -> None:
        """Note labels the server said it counted. Such an item may never be handed out again."""
        with self._lock:
            for item_id, label in labels.items():
                self.counted[item_id] = label
                self._held[item_id].until = datetime.max.replace(tzinfo=self._held[item_id].until.tzinfo)

    @property
    def labels(self) -> int:
        """Labels acknowledged so far."""
        return len(self.counted)

    def wait_ms(self, share: float) -> float | None:
        """The waiting time that `share` of the hand-outs did not exceed; None before the first."""
        with self._lock:
            waits = sorted(self.waits_ms)
        return round(waits[min(len(waits) - 1, int(share * len(waits)))], 1) if waits else None
