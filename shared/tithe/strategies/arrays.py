"""Names for the arrays that go in and out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Ordinals = npt.NDArray[np.integer[Any]]
