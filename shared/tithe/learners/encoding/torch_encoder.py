"""Any sentence-transformers or transformers encoder, in torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tithe.learners.encoding import source, torch_model
from tithe.learners.encoding.layers import resolve
from tithe.learners.encoding.reading import Batch, Reader, States
from tithe.learners.encoding.recipe import Recipe
from tithe.learners.encoding.subwords import Subwords
from tithe.learners.encoding.torch_model import Precision, StatesOf
from tithe.learners.encoding.unusable import ModelUnusable
from tithe.learners.protocol import Float32, Progress
from tithe.learners.words import Document, Read


class TorchEncoder:
    """``torch:NAME``: the model's own pooling, vectors of length one.

    Of a text longer than the model reads at once, `encode` takes the beginning, as the model was trained to; `read`
    goes through all of it in windows that overlap, so that every word has a state, and gives the same vector.

    With a GPU it computes there. Texts of a length go together, without padding where the model is of BERT's make and
    on the CPU. In float32 a vector depends on the texts beside it in the last bits of a sum only; in bfloat16, by less
    than the format itself is off: a relative 0.4 % of each state.

    Parameters
    ----------
    name
        As :func:`tithe.learners.encoding.source.model_folder` takes it.
    threads
        CPU threads; each computes batches of its own, so several encoders on a machine do not wait for one another.
    precision
        ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the hardware multiplies it. On CPUs that is AVX512-BF16
        or AMX.
    layers
        Whose states describe a word, side by side; see :mod:`tithe.learners.encoding.layers`.
    max_tokens
        Fewer tokens read at once than the model allows.

    Raises
    ------
    UnknownModel, ModelUnreachable, ModelUnusable, EncoderUnavailable
        See :func:`~tithe.learners.encoding.source.model_folder` and :func:`~tithe.learners.encoding.source.usable`.
    """

    def __init__(
        self,
        name: str = "minilm",
        *,
        threads: int = 1,
        precision: Precision = "auto",
        layers: Sequence[int] | None = None,
        max_tokens: int | None = None,
    ) -> None:
        torch_model.check_torch()
        folder = source.model_folder(name)
        recipe = source.usable(folder)
        most = min(max_tokens or recipe.max_tokens, recipe.max_tokens)
        subwords = Subwords(source.tokenizer_file(recipe.transformer), most, lower=recipe.lower, prompt=recipe.prompt)
        device = torch_model.chosen_device()
        dtype = torch_model.chosen_type(precision, device)
        model = torch_model.load(recipe)
        forward = _TorchForward(model, recipe, layers, torch_model.states_of(model, dtype, device))
        self._whole = _whole(folder, recipe, device, most) if recipe.beyond else None
        self._reader = Reader(
            subwords,
            forward,
            most_tokens=torch_model.most_tokens(model, dtype, device),
            threads=threads if device.type == "cpu" else 1,
        )
        self.dimension = self._whole.dimension if self._whole else forward.dimension
        self.word_dimension = forward.word_dimension
        digits = source.fingerprint([*source.check_weights(recipe.transformer), *source.beside(folder)])
        self.identity = f"torch/{digits}/{most}/{str(dtype).removeprefix('torch.')}/{forward.layers}"

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Float32:
        """As :meth:`tithe.learners.protocol.Encoder.encode`."""
        if self._whole is not None:
            return self._whole.encode(texts, progress)
        return self._reader.encode(texts, progress)

    def read(self, documents: Sequence[Document], *, progress: Progress | None = None) -> Read:
        """As :meth:`tithe.learners.words.WordEncoder.read`."""
        found = self._reader.read(documents, progress)
        if self._whole is None:
            return found
        return found._replace(vectors=self._whole.encode([document.text for document in documents], None))


class _TorchForward:
    """Pools and folds where the states are: from a GPU only what is asked for comes back."""

    def __init__(self, model: Any, recipe: Recipe, layers: Sequence[int] | None, states_of: StatesOf) -> None:
        depth = int(model.config.num_hidden_layers)
        self._modes = recipe.pooling
        self._layers = resolve(layers, depth)
        self.layers = "+".join(map(str, self._layers))
        self._depth = depth
        self._states_of = states_of
        self.dimension = int(model.config.hidden_size) * len(recipe.pooling)
        self.word_dimension = int(model.config.hidden_size) * len(self._layers)

    def __call__(self, batch: Batch) -> States:
        import torch

        if torch.get_num_threads() != 1:  # of this thread: its batches are its own, and others compute beside it
            torch.set_num_threads(1)
        asked = self._layers if len(batch.words) else []
        try:
            with torch.inference_mode():
                last, *words = self._states_of(batch.ids, [self._depth, *asked])
                vectors = _pooled(last.float(), [len(each) for each in batch.ids], self._modes)
                sums = _folded(words, batch) if asked else torch.zeros((0, self.word_dimension))
                return States(vectors.cpu().numpy(), sums.cpu().numpy())
        except RuntimeError as error:
            too_much = torch_model.memory_ended(error)
            if too_much is None:
                raise
            raise too_much from error


def _folded(states: list[Any], batch: Batch) -> Any:
    """The words' sums over their sub-words."""
    import torch

    device = states[0].device
    rows, words = (torch.from_numpy(part).to(device) for part in batch.pairs)
    side_by_side = torch.cat([state[rows] for state in states], 1).float()
    return torch.zeros((len(batch.words), side_by_side.shape[1]), device=device).index_add_(0, words, side_by_side)


def _pooled(states: Any, lengths: list[int], modes: Sequence[str]) -> Any:
    """As :func:`tithe.learners.encoding.pooling.pool`, on tensors."""
    import torch

    many = torch.tensor(lengths, device=states.device)
    ends = many.cumsum(0)
    starts = ends - many
    owner = torch.arange(len(lengths), device=states.device).repeat_interleave(many)

    def summed(weights: Any) -> Any:
        empty = torch.zeros((len(lengths), states.shape[1]), device=states.device)
        return empty.index_add_(0, owner, states if weights is None else states * weights[:, None])

    def one(mode: str) -> Any:
        if mode == "cls":
            return states[starts]
        if mode == "lasttoken":
            return states[ends - 1]
        if mode == "max":
            return torch.segment_reduce(states, "max", lengths=many)
        if mode == "weightedmean":
            rank = torch.arange(1, len(states) + 1, device=states.device) - starts[owner]
            return summed(rank.float()) / (many * (many + 1) / 2)[:, None]
        return summed(None) / (many.sqrt() if mode == "mean_sqrt_len_tokens" else many)[:, None]

    return torch.cat([one(mode) for mode in modes], 1)


class _Whole:
    """A model with modules that only sentence-transformers computes: its own encode gives the vectors."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.dimension = int(model.get_embedding_dimension())

    def encode(self, texts: Sequence[str], progress: Progress | None) -> Float32:
        shown = [text.encode("utf-8", "replace").decode() for text in texts]
        vectors = self._model.encode(shown, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
        if progress is not None:
            progress(len(texts), len(texts))
        return np.asarray(vectors, np.float32).reshape(len(texts), self.dimension)


def _whole(folder: Any, recipe: Recipe, device: Any, most: int) -> _Whole:
    pickled = next(
        (file for file in folder.glob("[0-9]*_*/*.bin") if not list(file.parent.glob("*.safetensors"))), None
    )
    if pickled is not None:
        raise ModelUnusable(f"{pickled} is a pickle, which could run anything and is never read",
                            remedy="save the model as safetensors (SentenceTransformer.save does)")  # fmt: skip
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as missing:
        raise ModelUnusable(
            f"after pooling, the model in {folder} goes through {', '.join(recipe.beyond)}, which needs"
            " sentence-transformers, and that is not installed",
            remedy="pip install sentence-transformers, or choose a model that ends with its pooling",
        ) from missing
    model = SentenceTransformer(
        str(folder), device=str(device), trust_remote_code=False, local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )  # fmt: skip
    model.max_seq_length = most
    return _Whole(model)
