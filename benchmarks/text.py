"""Token-entropy scoring of 2,000 sentences through a 6x384 encoder: Tithe beside what people write by hand.

Run by ``make bench-text``. Every row does the whole work: tokenize, encode, fold sub-words to words, apply the same
linear head to every word, take the mean entropy. The sentences are tweets, abstracts and encyclopedia from the folder
that ``TITHE_BENCH_DATA`` names; without it, the sentences of Tithe's own documentation. The head is fitted to other
sentences: to their entities, or, without that folder, to the shapes of their words.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import clock, report
from tokenizers import Tokenizer

from tithe.learners.encoding import onnx_export, source, torch_model
from tithe.learners.encoding.alignment import overlaps
from tithe.learners.encoding.dense import Dense, computes_bfloat16
from tithe.learners.encoding.onnx_encoder import OnnxEncoder
from tithe.learners.encoding.torch_encoder import TorchEncoder
from tithe.learners.words import Document

SETS = ("btc/test", "bc5cdr/test", "wikigold/all")
FITTED_ON = ("btc/train", "bc5cdr/train")
BY_HAND = 32  # sentences of a batch, as most scripts have it
TOP = 100
LIMIT_ROWS = 1024
LAYERS = (-1,)  # the last: what everybody's head by hand reads. Tithe's own choice, the middle one, costs no less


@dataclass
class Work:
    """What is scored, and by which head."""

    documents: list[Document]
    weights: np.ndarray  # float32, (classes, width)
    offsets: np.ndarray  # float32, (classes,)

    def entropies(self, states: np.ndarray) -> np.ndarray:
        """Nats, one a word."""
        logits = states.astype(np.float32) @ self.weights.T + self.offsets
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        total = powers.sum(axis=1)
        return np.log(total) - (powers * logits).sum(axis=1) / total


@dataclass
class Row:
    """A way to do it: called with the work, gives every word's entropy and the words' starts."""

    system: str
    run: Callable[[Work], tuple[np.ndarray, np.ndarray]]


# ---- the sentences ----


def of_tokens(tokens: list[str]) -> Document:
    stops = np.cumsum([len(token) + 1 for token in tokens]) - 1
    return Document(" ".join(tokens), [(int(stop) - len(t), int(stop)) for stop, t in zip(stops, tokens, strict=True)])


def labeled(folder: Path, names: tuple[str, ...], rows: int, seed: int) -> list[tuple[Document, list[str]]]:
    """Sentences of labeled sets with a type for each word."""
    import pyarrow.parquet as pq

    found = []
    for name in names:
        table = pq.read_table(folder / "ner" / f"{name}.parquet").to_pydict()
        for tokens, tags in zip(table["tokens"], table["tags"], strict=True):
            found.append((of_tokens(tokens), [tag.rpartition("-")[2] for tag in tags]))
    order = np.random.default_rng(seed).permutation(len(found))[:rows]
    return [found[at] for at in order]


def documented(rows: int, seed: int) -> list[tuple[Document, list[str]]]:
    """Sentences of the documentation, joined by ones and twos until there are enough, with the shape of each word."""
    root = Path(__file__).parents[1]
    text = " ".join(
        file.read_text(encoding="utf-8") for file in sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")])
    )
    plain = re.sub(r"```.*?```|[|#*`>]", " ", text, flags=re.DOTALL)
    sentences = [s.split() for s in re.split(r"(?<=[.!?:])\s+", plain) if 3 <= len(s.split()) <= 60]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rows):
        chosen = rng.choice(len(sentences), int(rng.integers(1, 3)), replace=False)
        tokens = [token for at in chosen for token in sentences[at]]
        found.append((of_tokens(tokens), [shape(token) for token in tokens]))
    return found


def shape(token: str) -> str:
    """A label that any text carries."""
    if any(letter.isdigit() for letter in token):
        return "number"
    return "code" if "_" in token or "/" in token else "name" if token[:1].isupper() else "O"


def prepared(sentences: int) -> Work:
    """The sentences, and a head fitted to other ones."""
    from sklearn.linear_model import LogisticRegression

    data = os.environ.get("TITHE_BENCH_DATA")
    if data:
        scored, fitted = labeled(Path(data), SETS, sentences, 0), labeled(Path(data), FITTED_ON, 1500, 1)
    else:
        print("TITHE_BENCH_DATA is not set: sentences are those of the documentation")
        scored, fitted = documented(sentences, 0), documented(1500, 1)
    states = TorchEncoder("minilm", precision="float32", threads=2, layers=LAYERS).read([d for d, _ in fitted]).words
    classes, labels = np.unique([label for _, types in fitted for label in types], return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not have converged
        head = LogisticRegression(max_iter=100).fit(states, labels)
    print(
        f"{len(scored)} sentences, {len(classes)} classes, {head.score(states, labels):.3f} of the head's words right"
    )
    return Work([d for d, _ in scored], head.coef_.astype(np.float32), head.intercept_.astype(np.float32))


# ---- by hand ----


class ByHand:
    """The textbook's parts: a tokenizer, a model, a fold of sub-words to words."""

    def __init__(self) -> None:
        folder = source.model_folder("minilm")
        self.recipe = source.usable(folder)
        self.folder = folder
        self.model = torch_model.load(self.recipe)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(512)

    def cut(self, document: Document) -> tuple[list[int], Any]:
        """Tokens, and whose they are."""
        found = self.tokenizer.encode(document.text)
        return found.ids, overlaps(document.words, np.array(found.offsets))

    def folded(self, states: np.ndarray, pairs: Any, words: int) -> np.ndarray:
        """Means over sub-words."""
        sums = np.zeros((words, states.shape[1]), np.float32)
        np.add.at(sums, pairs.words, states[pairs.subwords])
        return sums / np.maximum(np.bincount(pairs.words, minlength=words), 1)[:, None]

    def one_at_a_time(self, work: Work) -> tuple[np.ndarray, np.ndarray]:
        """(a)."""
        found = []
        with torch.inference_mode():
            for document in work.documents:
                ids, pairs = self.cut(document)
                states = self.model(torch.tensor([ids])).last_hidden_state[0].numpy()
                found.append(work.entropies(self.folded(states, pairs, len(document.words))))
        return np.concatenate(found), starts(work)

    def in_batches(self, work: Work, states_of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Any:
        """Sorted by length, padded to the longest."""
        cut = [self.cut(document) for document in work.documents]
        order = sorted(range(len(cut)), key=lambda at: len(cut[at][0]))
        found: list[Any] = [None] * len(cut)
        for first in range(0, len(order), BY_HAND):
            batch = order[first : first + BY_HAND]
            ids = np.zeros((len(batch), max(len(cut[at][0]) for at in batch)), np.int64)
            mask = np.zeros_like(ids)
            for row, at in enumerate(batch):
                ids[row, : len(cut[at][0])], mask[row, : len(cut[at][0])] = cut[at][0], 1
            for states, at in zip(states_of(ids, mask), batch, strict=True):
                found[at] = work.entropies(self.folded(states, cut[at][1], len(work.documents[at].words)))
        return np.concatenate(found), starts(work)

    def torch_batches(self, work: Work) -> Any:
        """(b)."""

        def states(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return self.model(
                    torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
                ).last_hidden_state.numpy()

        return self.in_batches(work, states)

    def onnx_rows(self, scratch: Path, threads: int) -> Iterator[Row]:
        """(c), in float32 and with ONNX Runtime's own quantisation."""
        import onnxruntime
        from onnxruntime.quantization import quantize_dynamic

        file = onnx_export.exported(self.folder, self.recipe, scratch)
        quantised = scratch / "int8.onnx"
        quantize_dynamic(str(file), str(quantised), per_channel=True, op_types_to_quantize=["MatMul"])
        last = onnx_export.output_of(self.model.config.num_hidden_layers)
        for name, path in (("float32", file), ("dynamic int8", quantised)):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

            def states(ids: np.ndarray, mask: np.ndarray, session: Any = session) -> np.ndarray:
                return session.run([last], {"input_ids": ids, "attention_mask": mask})[0]

            yield Row(f"(c) ONNX Runtime by hand, {name}", lambda work, states=states: self.in_batches(work, states))


def starts(work: Work) -> np.ndarray:
    return np.cumsum([0, *(len(document.words) for document in work.documents)])


# ---- Tithe ----


def reading(encoder: Any) -> Callable[[Work], Any]:
    def run(work: Work) -> Any:
        found = encoder.read(work.documents)
        return work.entropies(found.words), found.starts

    return run


def kept(encoder: Any, work: Work, scratch: Path) -> Callable[[Work], Any]:
    """Rounds after the first: the states are on disk, and only the head is new."""
    found = encoder.read(work.documents)
    np.save(scratch / "states.npy", found.words.astype(np.float16))

    def run(work: Work) -> Any:
        states = np.load(scratch / "states.npy", mmap_mode="r")
        parts = [work.entropies(states[first : first + 8192]) for first in range(0, len(states), 8192)]
        return np.concatenate(parts), found.starts

    return run


def bare(dtype: Any, tokens: int, threads: int) -> Callable[[Work], Any]:
    """The matrix products alone, on as many rows as there are tokens: what no arrangement can undercut."""
    from concurrent.futures import ThreadPoolExecutor

    shapes = ((1152, 384), (384, 384), (1536, 384), (384, 1536))
    layers = [[Dense(torch.randn(s).to(dtype), torch.randn(s[0]).to(dtype)) for s in shapes] for _ in range(6)]
    inputs = {width: torch.randn(LIMIT_ROWS, width).to(dtype) for width in (384, 1536)}

    def batch(_: int) -> None:
        if torch.get_num_threads() != 1:
            torch.set_num_threads(1)
        with torch.inference_mode():
            for layer in layers:
                for (_, width), product in zip(shapes, layer, strict=True):
                    product(inputs[width])

    def run(_: Work) -> Any:
        with ThreadPoolExecutor(threads) as crew:
            list(crew.map(batch, range(tokens // LIMIT_ROWS)))
        return None, None

    return run


# ---- the table ----


def means(found: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.array([found[0][a:b].mean() if b > a else 0.0 for a, b in pairwise(found[1])])


def top(found: tuple[np.ndarray, np.ndarray]) -> set[int]:
    return set(np.argsort(-means(found), kind="stable")[:TOP].tolist())


def measured(rows: list[Row], work: Work, repeats: int, threads: int, tokens: int) -> list[dict[str, Any]]:
    """Every row once per repeat, in turn; ratios are taken inside a repeat, and the median of them is told."""
    seconds: dict[str, list[dict[str, float]]] = {row.system: [] for row in rows}
    found: dict[str, Any] = {}
    for repeat in range(repeats + 1):  # the first warms up, and is short
        part = work if repeat else Work(work.documents[:100], work.weights, work.offsets)
        for row in rows:
            torch.set_num_threads(threads)
            with clock() as spent:
                result = row.run(part)
            if repeat:
                seconds[row.system].append(spent)
                found[row.system] = result
    reference = found["(a) one sentence at a time, torch float32"]
    first, second = rows[0].system, rows[1].system

    def ratio(system: str, to: str, kind: str) -> float:
        return float(
            np.median([a[kind] / max(b[kind], 1e-3) for a, b in zip(seconds[to], seconds[system], strict=True)])
        )

    table = []
    for row in rows:
        ran = seconds[row.system]
        wall = float(np.median([spent["wall_s"] for spent in ran]))
        entropies = found[row.system]
        scored = entropies[0] is not None
        table.append({
            "work": f"token entropy of {len(work.documents):,} sentences, {tokens:,} tokens, {threads} threads",
            "system": row.system,
            "tokens/s": round(tokens / max(wall, 1e-3)),
            "wall s": round(wall, 2),
            "CPU s": round(float(np.median([spent["cpu_s"] for spent in ran])), 2),
            "x (a), CPU": round(ratio(row.system, first, "cpu_s"), 1),
            "x (a), wall": round(ratio(row.system, first, "wall_s"), 1),
            "x (b), CPU": round(ratio(row.system, second, "cpu_s"), 1),
            "x (b), wall": round(ratio(row.system, second, "wall_s"), 1),
            f"top {TOP}": len(top(entropies) & top(reference)) if scored else None,
            "largest difference": f"{np.abs(entropies[0] - reference[0]).max():.1e}" if scored else None,
        })  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-onnx", action="store_true", help="without the rows of ONNX Runtime")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(given.threads)
    work, by_hand = prepared(given.sentences), ByHand()
    tokens = sum(len(by_hand.cut(document)[0]) for document in work.documents)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        float32 = TorchEncoder("minilm", precision="float32", threads=given.threads, layers=LAYERS)
        default = TorchEncoder("minilm", threads=given.threads, layers=LAYERS)
        rows = [
            Row("(a) one sentence at a time, torch float32", by_hand.one_at_a_time),
            Row(f"(b) sorted batches of {BY_HAND}, torch float32", by_hand.torch_batches),
        ]
        if not given.no_onnx:
            rows += by_hand.onnx_rows(scratch, given.threads)
            rows.append(
                Row(
                    "Tithe onnx:minilm, float32",
                    reading(OnnxEncoder("minilm", threads=given.threads, cache=scratch, layers=LAYERS)),
                )
            )
        rows += [
            Row("Tithe torch:minilm, float32", reading(float32)),
            Row(f"Tithe torch:minilm, its default ({default.identity.split('/')[3]})", reading(default)),
            Row("Tithe, rounds after the first (kept states)", kept(default, work, scratch)),
            Row("bare matrix products, float32", bare(torch.float32, tokens, given.threads)),
        ]
        if computes_bfloat16():
            rows.append(Row("bare matrix products, bfloat16", bare(torch.bfloat16, tokens, given.threads)))
        report("text", measured(rows, work, given.repeats, given.threads, tokens))


if __name__ == "__main__":
    main()
