"""What Prodigy does with a recipe, as its documentation says: the contract our recipe is held to.

`Prodigy` is one run of ``prodigy NAME DATASET …``: it checks what the recipe returns, draws tasks from the stream in
batches, leaves out what the dataset holds already, gives answers to `update` *before* it stores them, as copies.
`Browser` is a person's page: it fetches ahead, and keeps its last answers back, so that they can be taken back.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import sys
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

STUB = Path(__file__).parent / "stub"
KEYS = {
    "dataset", "stream", "view_id", "update", "before_db", "validate_answer", "progress", "on_load", "on_exit",
    "exclude", "db", "config", "get_session_id", "task_router", "session_factory",
}  # fmt: skip
NEEDED = {
    "choice": {"text", "options"},
    "classification": {"text", "label"},
    "ner_manual": {"text", "tokens"},
}
ENDED = object()
Json = dict[str, Any]


def load(file: Path) -> Any:
    """The recipe file, as `-F FILE` does: fresh, by its path, with nothing but Prodigy beside it."""
    if str(STUB) not in sys.path:
        sys.path.insert(0, str(STUB))
    spec = importlib.util.spec_from_file_location(f"recipe_{uuid.uuid4().hex}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Dataset:
    """A dataset in Prodigy's database: it outlives runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.examples: list[Json] = []


class Controller:
    """What callbacks get."""

    def __init__(self, dataset: Dataset) -> None:
        self.db = dataset


class Prodigy:
    """One run of a recipe."""

    def __init__(self, dataset: Dataset, line: str, recipe: Path, setting: Callable[[Any], None] | None = None) -> None:
        self.module = load(recipe)
        if setting is not None:
            setting(self.module)
        self.dataset = dataset
        self.components = _run(line)
        self._check_components()
        self.view_id: str = self.components["view_id"]
        self.config: Json = self.components.get("config", {})
        self.batch_size = int(self.config.get("batch_size", 10))
        self._stream = iter(self.components["stream"])
        self._drawing = ThreadPoolExecutor(1)  # one at a time draws from a stream
        self._drawn: Future[Any] | None = None
        self._ended = False
        self._seen: set[int] = set()
        self.sent: list[Json] = []
        self.components.get("on_load", lambda _: None)(Controller(dataset))

    def _check_components(self) -> None:
        found = self.components
        assert set(found) <= KEYS, set(found) - KEYS
        assert found["dataset"] == self.dataset.name
        assert found["view_id"] in NEEDED
        for name in ("update", "validate_answer", "on_load", "on_exit"):
            assert callable(found.get(name, print)), name
        json.dumps(found.get("config", {}))

    def questions(self, count: int | None = None, patience: float = 5.0) -> list[Json]:
        """Tasks for a page: fewer where the stream ends, or has none for so long."""
        found: list[Json] = []
        while len(found) < (count or self.batch_size) and not self._ended:
            self._drawn = self._drawn or self._drawing.submit(next, self._stream, ENDED)
            if not wait([self._drawn], patience).done:
                break
            task, self._drawn = self._drawn.result(), None
            if task is ENDED:
                self._ended = True
            elif self._is_new(self._checked(task)):
                found.append(_copy(task))
        self.sent += found
        return found

    def _checked(self, task: Json) -> Json:
        json.dumps(task, allow_nan=False)
        assert NEEDED[self.view_id] <= set(task), sorted(task)
        assert all(-(1 << 31) <= task[name] < 1 << 31 for name in ("_input_hash", "_task_hash"))
        if self.view_id == "choice":
            assert {"id", "text"} == set(task["options"][0])
            assert set(task.get("accept", ())) <= {option["id"] for option in task["options"]}
        if self.view_id == "ner_manual":
            for at, token in enumerate(task["tokens"]):
                assert token["id"] == at
                assert task["text"][token["start"] : token["end"]] == token["text"]
            for span in task.get("spans", ()):
                assert task["tokens"][span["token_start"]]["start"] == span["start"]
                assert task["tokens"][span["token_end"]]["end"] == span["end"]
        return task

    def _is_new(self, task: Json) -> bool:
        """By `exclude_by`: neither in the dataset nor drawn before."""
        name = f"_{self.config.get('exclude_by', 'task')}_hash"
        known = {example[name] for example in self.dataset.examples} | self._seen
        self._seen.add(task[name])
        return task[name] not in known

    @property
    def ended(self) -> bool:
        """Whether the stream has ended: the page says that there are no more tasks."""
        return self._ended

    def validate(self, task: Json) -> str | None:
        """What the page shows where an answer is not taken."""
        try:
            self.components["validate_answer"](_copy(task))
        except Exception as error:  # noqa: BLE001  (as Prodigy does)
            return str(error)
        return None

    def give(self, session: str | None, answers: list[Json]) -> None:
        """A page sends answers: they go to `update`, and then into the dataset."""
        who = f"{self.dataset.name}-{session}" if session else "2026-02-06_10-17-19"
        for answer in answers:
            sys.modules["prodigy"].set_hashes(answer)
            answer.update(_session_id=who, _annotator_id=who, _view_id=self.view_id, _timestamp=1_770_000_000)
        handed = _copy(answers)
        self.components["update"](handed)
        for answer in _copy(answers):
            held = [one for one in self.dataset.examples if one["_task_hash"] == answer["_task_hash"]]
            for one in held:
                self.dataset.examples.remove(one)
            self.dataset.examples.append(answer)

    def stop(self) -> None:
        """Ctrl-C."""
        self.components.get("on_exit", lambda _: None)(Controller(self.dataset))
        self._drawing.shutdown(wait=True)


class Browser:
    """Somebody's page. `close` forgets what it fetched and did not send."""

    def __init__(self, prodigy: Prodigy, session: str | None = None, patience: float = 5.0) -> None:
        self.prodigy = prodigy
        self.session = session
        self.patience = patience
        self.queue: deque[Json] = deque()
        self.history: list[Json] = []

    def fetch(self) -> None:
        """Keep the queue at least half a batch long; only an empty one is waited for."""
        while len(self.queue) < self.prodigy.batch_size // 2 + 1:
            found = self.prodigy.questions(patience=0.02 if self.queue else self.patience)
            self.queue.extend(found)
            if not found:
                return

    @property
    def task(self) -> Json | None:
        """What is shown."""
        if not self.queue:
            self.fetch()
        return self.queue[0] if self.queue else None

    def submit(self, answer: str, **changes: Any) -> str | None:
        """Answer what is shown; what the page complains of, if it does."""
        assert self.task is not None
        task = {**_copy(self.task), **changes, "answer": answer}
        complaint = self.prodigy.validate(task)
        if complaint is not None:
            return complaint
        self.queue.popleft()
        self.history.append(task)
        at_once = self.prodigy.config.get("instant_submit", False)
        if at_once or len(self.history) > self.prodigy.batch_size:
            self._send(len(self.history) if at_once else self.prodigy.batch_size // 2)
        self.fetch()
        return None

    def undo(self) -> Json:
        """Take the last answer back, where it was not sent yet."""
        self.queue.appendleft(self.history.pop())
        return self.queue[0]

    def save(self) -> None:
        """Send everything."""
        self._send(len(self.history))

    def _send(self, count: int) -> None:
        answers, self.history = self.history[:count], self.history[count:]
        if answers:
            self.prodigy.give(self.session, answers)


def _run(line: str) -> Json:
    import prodigy

    name, *words = shlex.split(line)
    function, described = prodigy.RECIPES[name]
    parser = argparse.ArgumentParser()
    for argument, (_help, kind, shortcut, convert) in described.items():
        if kind == "positional":
            parser.add_argument(argument, type=convert)
            continue
        names = [f"--{argument}", *([f"-{shortcut}"] if shortcut else [])]
        how: Json = {"action": "store_true"} if kind == "flag" else {"type": convert}
        parser.add_argument(*names, dest=argument, default=argparse.SUPPRESS, **how)
    return function(**vars(parser.parse_args(words)))


def _copy(told: Any) -> Any:
    """Over the network and back."""
    return json.loads(json.dumps(told))


#: The fixture: a recipe's name, a dataset, more of the command line, settings of the recipe's module.
Start = Callable[..., Prodigy]
