"""Libraries that speak only when something is wrong, and leave the process as they found it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, no load reports: transformers' errors only. What was set before is set again."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def undisturbed(seed: int) -> Iterator[None]:
    """The global dice of torch, NumPy and Python start at `seed` inside, and go on as if nothing had been outside.

    The environment, into which accelerate writes its choices, is put back too.
    """
    import torch

    before, environment = (random.getstate(), np.random.get_state()), dict(os.environ)  # noqa: NPY002 - what it restores
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - the dice transformers throws
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002 - as above
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)


@contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """Torch computes on so many threads inside; None leaves it alone."""
    import torch

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
