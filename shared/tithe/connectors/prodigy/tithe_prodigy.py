"""Label a Tithe project in Prodigy: the items most worth a label, as the model learns.

Copy this file anywhere and run it. It needs Prodigy, Python 3.9 or newer, and nothing else::

    prodigy tithe.textcat my_dataset --project reviews --url http://127.0.0.1:8000 -F tithe_prodigy.py
    prodigy tithe.ner     my_dataset --project people  --url http://127.0.0.1:8000 -F tithe_prodigy.py

What becomes of an answer:

* accept: the label. Ignore: a skip. Reject: a skip with the note "rejected", never a label.
* with ``--binary`` each question is about one class. Accept: that class. Reject, of two classes: the other one; of
  more: the next most likely class is asked for until one is accepted; where none is, the item is skipped. Where
  several classes may apply, each is asked for, and the item is answered once all of them were.
* the same item answered again (undo, history) takes the place of the earlier answer.

Answers are written to a file first, the outbox, and then sent; the file keeps what the server did not confirm, over
restarts too. What the server refuses for good goes to a second file, ``….refused.jsonl``, with the reason.

``?session=ada`` in the page's address tells who labels; without it the dataset's name, or ``--annotator``, does.
"""

from __future__ import annotations

import collections
import hashlib
import http.client
import importlib
import json
import os
import re
import sys
import threading
import time
import unicodedata
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

prodigy: Any = None
if not __name__.startswith("tithe."):  # Tithe's own processes use the tokens and the words below, without Prodigy
    prodigy = importlib.import_module("prodigy")

Json = dict[str, Any]

#: Seconds between attempts while the server does not answer.
PAUSES: tuple[float, ...] = (1, 2, 5, 10, 30)
#: A question that went to a browser and never came back is asked again after so long, once nothing else is left.
AGAIN_SECONDS = 1800.0
#: What is sent and settled is forgotten by the outbox after so long.
KEPT_SECONDS = 30 * 86_400.0
CALL_SECONDS = 20.0
EXIT_SECONDS = 10.0


def say(text: str) -> None:
    """A line in the terminal."""
    sys.stderr.write(f"Tithe: {text}\n")
    sys.stderr.flush()


# ---- tokens: offsets count Unicode code points ----

#: Belongs to the character before it without being a mark: joiners, skin tones, tags, Thai and Lao am, kana marks.
_EXTENDS = re.compile("[\u200c\u200d\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
#: Belongs to the character after it.
_PREPENDS = re.compile(
    "[\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3\U0001193f"
    "\U00011941\U00011a3a\U00011a84-\U00011a89\U00011d46\U00011f02]"
)
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")
_FLAGS_LAST = re.compile("[\U0001f1e6-\U0001f1ff]*$")
_JAMO = re.compile("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]")
#: Written without spaces: each character is a token.
_SINGLE = re.compile("[\u0e00-\u0eff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
                     "\uff66-\uff9f\U00020000-\U0003ffff]")  # fmt: skip


def characters(text: str) -> list[str]:
    """The text cut between characters as people see them; where in doubt it is not cut.

    Examples
    --------
    >>> characters("nö!") == ["n", "ö", "!"]
    True
    """
    found: list[str] = []
    for at, here in enumerate(text):
        if found and _joined(text[at - 1], here, found[-1]):
            found[-1] += here
        else:
            found.append(here)
    return found


def _joined(before: str, here: str, so_far: str) -> bool:
    if here < "\u0300" and before < "\u0300":
        return before == "\r" and here == "\n"
    kind = unicodedata.category(here)
    if kind in ("Mn", "Me", "Mc") or _EXTENDS.match(here) or _PREPENDS.match(before):
        return True
    if kind == "Cn":  # newer than this Python: a mark, perhaps, unless it is where emoji are
        return not "\U0001f000" <= here <= "\U0001faff"
    if _FLAG.match(here) and _FLAG.match(before):
        return (len(so_far) - len(_FLAGS_LAST.sub("", so_far))) % 2 == 1  # two make one flag
    if _JAMO.match(here) or "\uac00" <= here <= "\ud7a3":
        return bool(_JAMO.match(before)) or (bool(_JAMO.match(here)) and "\uac00" <= before <= "\ud7a3")
    # A letter after a virama, and perhaps other marks, may be one character with what is before them.
    return here.isalpha() and any(unicodedata.combining(sign) == 9 for sign in so_far[-16:])


def tokenize(text: str, borders: Iterable[int] = ()) -> list[Json]:
    """The words and signs of a text as Prodigy's tokens; a token may also end at `borders`, between characters only.

    Examples
    --------
    >>> [token["text"] for token in tokenize("Ada's café!")]
    ['Ada', "'", 's', 'café', '!']
    >>> tokenize("to Rome")[1]
    {'text': 'Rome', 'start': 3, 'end': 7, 'id': 1, 'ws': False}
    """
    tokens: list[Json] = []
    cuts, at, word = frozenset(borders), 0, False
    for character in characters(text):
        end = at + len(character)
        inside = _in_word(character)
        newline = character in ("\n", "\r\n")
        if newline or not character.isspace():
            if inside and word and at not in cuts:
                tokens[-1]["text"] += character
                tokens[-1]["end"] = end
            else:
                tokens.append({"text": character, "start": at, "end": end, "id": len(tokens), "ws": False})
                if newline:
                    tokens[-1]["disabled"] = True  # shown, but nobody can mark it
        elif tokens and tokens[-1]["end"] == at:
            tokens[-1]["ws"] = True
        at, word = end, inside
    return tokens


def _in_word(character: str) -> bool:
    return (character[0].isalnum() or character[0] == "_") and not _SINGLE.match(character)


def ready_tokens(tokens: Sequence[str]) -> list[Json]:
    """Tokens of an item that came as tokens: joined by single spaces, and kept.

    Examples
    --------
    >>> ready_tokens(["St.", "Ives"])[1]
    {'text': 'Ives', 'start': 4, 'end': 8, 'id': 1, 'ws': False}
    """
    made: list[Json] = []
    at = 0
    for token in tokens:
        last = len(made) == len(tokens) - 1
        made.append({"text": token, "start": at, "end": at + len(token), "id": len(made), "ws": not last})
        at += len(token) + 1
    return made


def token_spans(spans: Iterable[Json], tokens: Sequence[Json]) -> list[Json]:
    """Spans with the tokens they begin and end with; one that does not fit the tokens is left out."""
    starts = {token["start"]: token["id"] for token in tokens}
    ends = {token["end"]: token["id"] for token in tokens}
    return [
        {"start": one["start"], "end": one["end"], "label": one["label"],
         "token_start": starts[one["start"]], "token_end": ends[one["end"]]}
        for one in spans if one["start"] in starts and one["end"] in ends
    ]  # fmt: skip


# ---- from items to questions ----


def question(project: Json, batch: str | None, item: Json, attempt: int = 0, about: str | None = None) -> Json:
    """An item as Prodigy shows it; `about`: with one class, yes or no.

    The task's hash is of the item *and* the batch: Prodigy leaves out what it knows already, but an item that is handed
    out again is meant to be shown again. 32 bits, as Prodigy's own.
    """
    told = item.get("prediction") or {}
    tokens = item.get("tokens")
    ours = {"project": project["id"], "batch": batch, "item": item["item_id"], "attempt": attempt}
    task: Json = {"text": " ".join(tokens) if tokens else item["text"], "meta": _shown(item), "tithe": ours}
    if project["task"] == "token_classification":
        spans = told.get("spans") or []
        borders = [at for one in spans for at in (one["start"], one["end"])]
        task["tokens"] = ready_tokens(tokens) if tokens else tokenize(task["text"], borders)
        task["spans"] = token_spans(spans, task["tokens"])
        if tokens:
            ours["tokens"] = True
    elif about is not None:
        task["label"] = ours["about"] = about
        ours["order"] = likely_first(project["labels"], told)
    else:
        task["options"] = [{"id": label, "text": label} for label in project["labels"]]
        task["accept"] = told.get("labels") or ([told["label"]] if told.get("label") else [])
    task["_input_hash"] = _hash(project["id"], item["item_id"])
    task["_task_hash"] = _hash(project["id"], item["item_id"], batch, attempt, about)
    return task


def likely_first(labels: Sequence[str], prediction: Json) -> list[str]:
    """The classes, most likely first; without a prediction in the project's order."""
    chances = prediction.get("probabilities") or {}
    return sorted(labels, key=lambda label: -float(chances.get(label, 0.0)))


def asked_next(task: Json, about: str) -> Json:
    """The question about another class of the same item."""
    ours = {**task["tithe"], "about": about}
    made = {"text": task["text"], "meta": task.get("meta", {}), "label": about, "tithe": ours}
    made["_input_hash"] = _hash(ours["project"], ours["item"])
    made["_task_hash"] = _hash(ours["project"], ours["item"], ours["batch"], ours["attempt"], about)
    return made


def _shown(item: Json) -> Json:
    """What stands under the text: the item's own facts, and the model's score where it is to be seen."""
    facts = {name: value for name, value in (item.get("meta") or {}).items() if isinstance(value, (str, int, float))}
    if item.get("score") is not None:
        facts.setdefault("score", round(item["score"], 3))
    return facts


def _hash(*parts: Any) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:4], "big", signed=True)


# ---- from answers to labels ----


class NoLabel(ValueError):
    """The answer says nothing that can be a label; the message is for the one who labels."""


def reading(task: Json, kind: str, labels: Sequence[str]) -> Json:
    """What an answer to a choice or to spans says: ``{"label": …}``, or ``{"skip": True}``. Raises NoLabel.

    `kind` is the project's task.
    """
    answer = task.get("answer", "accept")
    if answer == "ignore":
        return {"skip": True}
    if answer == "reject":
        return {"skip": True, "note": "rejected"}
    if answer != "accept":
        raise NoLabel(f"An answer is accept, reject or ignore, not {answer!r}.")
    return {"label": _spans(task, labels) if kind == "token_classification" else _chosen(task, kind, labels)}


def _chosen(task: Json, kind: str, labels: Sequence[str]) -> Any:
    chosen = task.get("accept") or []
    strange = [label for label in chosen if label not in labels]
    if strange:
        raise NoLabel(f"{strange[0]!r} is no class of the project.")
    if kind == "multilabel_classification":
        return [label for label in labels if label in chosen]
    if len(chosen) != 1:
        many = f"{len(chosen)} are chosen" if chosen else "none is chosen"
        raise NoLabel(f"Choose exactly one class ({many}), or press ignore to leave the item out.")
    return chosen[0]


def _spans(task: Json, labels: Sequence[str]) -> list[Json]:
    """The marked spans, their edges taken from the tokens."""
    tokens = {token["id"]: token for token in task.get("tokens") or ()}
    found = []
    for span in task.get("spans") or ():
        first, last = tokens.get(span.get("token_start")), tokens.get(span.get("token_end"))
        start = span["start"] if first is None else first["start"]
        end = span["end"] if last is None else last["end"]
        if span.get("label") not in labels:
            raise NoLabel(f"{span.get('label')!r} is no class of the project.")
        if not 0 <= start < end <= len(task["text"]):
            raise NoLabel(f"The mark {span['label']!r} from {start} to {end} is not within the text.")
        if not task["text"][start:end].strip():
            raise NoLabel(f"The mark {span['label']!r} from {start} to {end} holds no text: remove it.")
        found.append({"start": start, "end": end, "label": span["label"]})
    found.sort(key=lambda one: (one["start"], one["end"]))
    for at, one in enumerate(found[1:]):
        if one["start"] < found[at]["end"]:
            raise NoLabel(f"Marks overlap: {task['text'][found[at]['start'] : one['end']]!r}. Keep one of them.")
    return found


def verdict(parts: dict[str, str], kind: str, labels: Sequence[str], order: Sequence[str]) -> Json:
    """What the answers to single questions say of an item, so far.

    Parameters
    ----------
    parts
        Class → accept, reject or ignore; the latest answer last.
    kind, labels
        The project's task and classes.
    order
        The classes, most likely first.

    Returns
    -------
    dict
        ``{"label": …}``, ``{"skip": True}``, ``{"ask": CLASS}`` or, while questions are on their way, ``{}``.

    Examples
    --------
    >>> verdict({"spam": "reject"}, "text_classification", ["ham", "spam"], ["spam", "ham"])
    {'label': 'ham'}
    >>> verdict({"a": "reject"}, "text_classification", ["a", "b", "c"], ["a", "c", "b"])
    {'ask': 'c'}
    >>> verdict({"a": "accept"}, "multilabel_classification", ["a", "b"], ["a", "b"])
    {}
    """
    accepted = [label for label, said in parts.items() if said == "accept"]
    left = [label for label in order if label not in parts]
    if kind == "multilabel_classification":
        if left:
            return {}
        chosen = [label for label in labels if label in accepted]
        return {"skip": True} if "ignore" in parts.values() else {"label": chosen}
    if accepted:
        return {"label": accepted[-1]}
    if "ignore" in parts.values():
        return {"skip": True}
    if len(labels) == 2 and len(left) == 1:
        return {"label": left[0]}  # an item has one class: what is not the one is the other
    return {"ask": left[0]} if left else {"skip": True, "note": "rejected: none of the classes"}


def annotator_of(task: Json, dataset: str, default: str) -> str:
    """Who answered: Prodigy writes ``DATASET-NAME`` for ``?session=NAME``, and a time where there is no name.

    Examples
    --------
    >>> [annotator_of({"_session_id": one}, "mail", "mail") for one in ("mail-ada", "2026-02-06_10-17")]
    ['ada', 'mail']
    """
    session = str(task.get("_session_id") or task.get("_annotator_id") or "")
    name = session[len(dataset) + 1 :] if session.startswith(f"{dataset}-") else ""
    return _name(name) or default


def _name(told: str) -> str:
    """A name as Tithe takes it: printable, not too long, without an @ before it."""
    return "".join(sign for sign in told if sign.isprintable()).lstrip("@ ")[:100].strip()


# ---- the server ----


class Trouble(Exception):
    """The call did not work now; it may later, and so may any other."""


class Stumble(Trouble):
    """The server failed over this one call."""


class Refused(Exception):
    """The server says no for good: its status, its code, and why."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status = status
        self.problem = problem
        remedy = f" ({problem['remedy']})" if problem.get("remedy") else ""
        super().__init__(f"{problem.get('detail', problem.get('title', 'refused'))}{remedy}")


class _Stay(urllib.request.HTTPRedirectHandler):
    """No redirects: a POST would arrive as a GET."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Server:
    """Tithe's HTTP interface. ``TITHE_API_KEY`` says who calls: a manager's key, so that it may name who labels."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        if not re.match(r"https?://[^/]", self.url):
            raise SystemExit(f"Tithe: {url!r} is no address: use one such as http://127.0.0.1:8000")
        self._opener = urllib.request.build_opener(_Stay)

    def call(
        self, method: str, path: str, body: Json | None = None, key: str = "", seconds: float = CALL_SECONDS
    ) -> Json:
        """The answer's JSON. Raises Trouble, Refused."""
        headers = {"Accept": "application/json", "User-Agent": "tithe-prodigy"}
        if os.environ.get("TITHE_API_KEY"):
            headers["Authorization"] = f"Bearer {os.environ['TITHE_API_KEY']}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  (http(s) only)
        try:
            with self._opener.open(request, timeout=seconds) as response:
                return _parsed(response.read(), self.url)
        except urllib.error.HTTPError as error:
            raise _problem(error, self.url) from None
        except (OSError, http.client.HTTPException) as error:
            raise Trouble(f"{self.url} does not answer: {getattr(error, 'reason', error)}") from error

    def project(self, wanted: str) -> Json:
        """A project by its name or id. Raises Trouble, Refused, LookupError."""
        after, names = "", []
        while True:
            page = self.call("GET", f"/v1/projects?limit=200{after}")
            for one in page["projects"]:
                if wanted in (one["id"], one["name"]):
                    return dict(one)
                names.append(one["name"])
            if not page.get("next"):
                raise LookupError(f"{self.url} has no project {wanted!r}; it has: {', '.join(names[:20]) or 'none'}")
            after = f"&after={page['next']}"


def _parsed(body: bytes, url: str) -> Json:
    if not body:
        return {}
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Trouble(f"{url} answers something that is not Tithe's")
    return told


def _problem(error: urllib.error.HTTPError, url: str) -> Exception:
    """An error as what it means. Only a "no" in Tithe's own words is one: a proxy's page may mean anything."""
    status, location = error.code, error.headers.get("Location")
    with error:
        try:
            problem = json.loads(error.read())
        except (OSError, ValueError, http.client.HTTPException):
            problem = None
    if location and 300 <= status < 400:
        return Trouble(f"{url} sends callers on to {location}: give that address")
    if not isinstance(problem, dict) or not str(problem.get("type", "")).startswith("urn:tithe:problem:"):
        return Trouble(f"{url} answers {status}, and not in Tithe's words")
    if status == 401:  # nothing is wrong with the answer: it waits until a key counts
        return Trouble(f"{url} does not know who calls: set TITHE_API_KEY to a key of a manager of the project")
    if status < 500 and status not in (408, 425, 429):
        return Refused(status, problem)
    told = f"{url} answers {status}: {problem.get('detail')}"
    return Stumble(told) if status == 500 else Trouble(told)


# ---- the outbox ----


class Outbox:
    """Answers on their way, in a file: one JSON object a line, only ever appended to.

    Three kinds of lines: an answer, the answer to a single question of an item (``part``), and what became of an answer
    (``settled``). What waits, and what was said before, is read off them.
    """

    def __init__(self, folder: Path, dataset: str) -> None:
        name = re.sub(r"[^\w.-]+", "-", dataset)[:80]
        if name != dataset:
            name += "-" + hashlib.sha256(dataset.encode()).hexdigest()[:6]
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"tithe-{name}.outbox.jsonl"
        self.refused_path = folder / f"tithe-{name}.refused.jsonl"
        self.id = ""
        self._lock = threading.RLock()
        self._waiting: dict[str, Json] = {}
        self._said: dict[tuple[str, str, str], Json] = {}  #: project, item, annotator → the latest answer
        self._answered: set[tuple[str, str]] = set()  #: batch, item
        self._parts: dict[tuple[str, str], dict[str, Json]] = {}  #: project, item → class → part, the latest last
        self._unwritten = b""
        self._held = _hold(folder / f"tithe-{name}.lock", dataset)
        self._load()
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if not self.id:
            self.id = uuid.uuid4().hex[:6]
            self._write([{"outbox": self.id, "dataset": dataset}])

    def _load(self) -> None:
        """Read what is there; a last line that was cut by a crash is left out, and so is what is settled long since."""
        body = self.path.read_bytes() if self.path.exists() else b""
        lines, torn = body.split(b"\n"), False
        records: list[Json] = []
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line) if line.strip() else None
                if record is not None:
                    self._fold(record)
                    records.append(record)
            except (ValueError, KeyError, TypeError):
                torn = True
                say(f"{self.path}, line {number}, is damaged and left out: {line[:80]!r}")
                self._put_aside({"reason": "a damaged line of the outbox", "line": line.decode("utf-8", "replace")})
        limit = time.time() - KEPT_SECONDS
        old = {r["key"] for r in records if "key" in r and r["key"] not in self._waiting and r.get("at", 0) < limit}
        kept = [r for r in records if not (r.get("key") in old or r.get("settled") in old
                                           or ("part" in r and r.get("at", 0) < limit))]  # fmt: skip
        if torn or len(kept) < len(records) or (body and not body.endswith(b"\n")):
            fresh = self.path.with_suffix(".new")
            with fresh.open("wb") as file:
                file.write(_lines(kept))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)

    def _fold(self, record: Json) -> None:
        if "outbox" in record:
            self.id = record["outbox"]
        elif "settled" in record:
            self._waiting.pop(record["settled"], None)
        elif "part" in record:
            parts = self.parts(record["project"], record["batch"], record["item"])
            parts.pop(record["part"], None)
            parts[record["part"]] = record
            self._parts[record["project"], record["item"]] = parts
        else:
            self._waiting[record["key"]] = record
            self._said[record["project"], record["item"], record["annotator"]] = record
            self._answered.add((record["batch"], record["item"]))

    def said(self, project: str, item: str, annotator: str) -> Json | None:
        """The latest answer of somebody to an item."""
        with self._lock:
            return self._said.get((project, item, annotator))

    def answered(self, batch: str, item: str) -> bool:
        """Whether anybody answered the item of the batch, sent or not."""
        with self._lock:
            return (batch, item) in self._answered

    def parts(self, project: str, batch: str, item: str) -> dict[str, Json]:
        """The single questions about the item that were answered: by class, the latest last.

        They outlive a batch that was given back; but what led to an answer then is no part of one now.
        """
        with self._lock:
            parts = dict(self._parts.get((project, item), {}))
            before = {part["batch"] for part in parts.values()} - {batch}
            return {} if any((one, item) in self._answered for one in before) else parts

    def waiting(self, project: str) -> list[Json]:
        """What is to be sent, oldest first."""
        with self._lock:
            return [record for record in self._waiting.values() if record["project"] == project]

    def elsewhere(self, project: str) -> int:
        """How many answers wait that are of other projects."""
        with self._lock:
            return sum(record["project"] != project for record in self._waiting.values())

    def add(self, records: Sequence[Json]) -> None:
        """Take answers and parts; they are on the disk when this returns. Where they cannot be, they wait in memory."""
        with self._lock:
            for record in records:
                self._fold(record)
            self._write(records)

    def settle(self, record: Json, outcome: str) -> None:
        """The server has it. Not forced to the disk: at worst it is sent again under the same key."""
        with self._lock:
            settled = {"settled": record["key"], "outcome": outcome, "at": round(time.time(), 3)}
            self._fold(settled)
            self._write([settled], force=False)

    def refuse(self, what: Json, reason: str) -> None:
        """The server never takes it: put it aside, with the reason."""
        self._put_aside({"reason": reason, **what})
        if "key" in what:
            self.settle(what, "refused")

    def _put_aside(self, what: Json) -> None:
        with self._lock, self.refused_path.open("ab") as file:
            file.write(_lines([{**what, "put_aside_at": time.strftime("%Y-%m-%dT%H:%M:%S%z")}]))
            file.flush()
            os.fsync(file.fileno())

    def _write(self, records: Sequence[Json], *, force: bool = True) -> None:
        body = self._unwritten + _lines(records)
        try:
            written = os.write(self._file, body)
            if written < len(body):
                raise OSError(f"only {written} of {len(body)} bytes were written")
            if force:
                os.fsync(self._file)
        except OSError as error:
            # The next write begins on a line of its own; what is there twice then folds to the same.
            self._unwritten = body if body.startswith(b"\n") else b"\n" + body
            say(f"{self.path} CANNOT BE WRITTEN ({error}): answers wait in memory only. Make room; do not stop this")
        else:
            self._unwritten = b""

    def close(self) -> None:
        """Let somebody else have the file."""
        with self._lock:
            os.close(self._file)
            os.close(self._held)
            self._file = -1


def _lines(records: Iterable[Json]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def _hold(path: Path, dataset: str) -> int:
    """Lock the dataset for this process, until it ends in whatever way."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            msvcrt = importlib.import_module("msvcrt")
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl = importlib.import_module("fcntl")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise SystemExit(
            f"Tithe: another Prodigy is at work on the dataset {dataset!r} ({path} is locked). Several people share "
            "one Prodigy, each with ?session=NAME in the address; or take another dataset."
        ) from None
    return file


# ---- the desk: leases in, answers out ----


class Desk:
    """One Prodigy server at work on one project. An iterator of tasks; several threads may ask it.

    Prodigy asks ahead of what is answered, but a labeler of Tithe has one open batch at a time. So the desk asks under
    as many names as it has batches open; whose answer it is, it says with each answer.
    """

    def __init__(self, server: Server, project: Json, outbox: Outbox, dataset: str, *, annotator: str = "",
                 binary: bool = False, size: int = 0) -> None:  # fmt: skip
        self.server = server
        self.project = project
        self.outbox = outbox
        self.dataset = dataset
        self.annotator = _name(annotator) or _name(dataset) or "prodigy"
        self.binary = binary
        #: Whether the next question about an item depends on the answer to the last.
        self.one_by_one = binary and project["task"] == "text_classification" and len(project["labels"]) > 2
        #: Where several opinions are wanted, a dataset is one person, who gets each item once.
        self.alone = project["overlap"] > 1
        self.size = size or (50 if self.alone else 20)
        self._state = threading.RLock()
        self._asking = threading.Lock()  # one thread asks the server for items, the others wait for their turn
        self._sending = threading.Lock()
        self._taking = threading.Lock()
        self._wake = threading.Condition()
        self._news = 0  # counts what may end a wait
        self._over = threading.Event()
        self._ended = False
        self._tasks: collections.deque[Json] = collections.deque()
        self._batches: dict[str, tuple[str, float]] = {}  # open batches: id → holder, when to renew
        self._items: dict[str, str] = {}  # item → its open batch
        self._out: dict[tuple[str, str | None], tuple[float, Json]] = {}  # sent to a browser, not answered
        self._failures = 0  # of asking, one after another
        self._doubted = False
        self._troubled = False
        self._waits_for = ""
        self._thread: threading.Thread | None = None

    # -- what Prodigy calls --

    def __iter__(self) -> Iterator[Json]:
        return self

    def __next__(self) -> Json:
        """The next question; waits while the server has nothing now. Raises StopIteration once there is no more."""
        self.start()
        with self._asking:
            while not self._over.is_set():
                news = self._news
                with self._state:
                    if self._tasks:
                        return self._hand_over(self._tasks.popleft())
                if self._ended:
                    break
                self._ask(news)
        raise StopIteration

    def update(self, answers: Iterable[Json]) -> None:
        """Take answers: to the disk first, then on their way. Never raises, or Prodigy would lose or double them."""
        try:
            with self._taking:
                for task in answers:
                    self._take_in(task)
        except Exception as error:  # noqa: BLE001  (whatever it is)
            say(f"SOMETHING WENT WRONG OVER ANSWERS: {error!r}. Prodigy has stored them: see `prodigy db-out`")
        self._notify()

    def _take_in(self, task: Json) -> None:
        try:
            self.outbox.add(self._take(task))
        except Exception as error:  # noqa: BLE001  (an answer that makes no sense keeps no other back)
            say(f"AN ANSWER CANNOT BE USED: {error} It is kept in {self.outbox.refused_path}")
            self.outbox.refuse({"task": task}, str(error))

    def validate(self, task: Json) -> None:
        """What Prodigy shows the one who labels where an answer cannot be: raises ValueError."""
        if not self.binary:
            reading(task, self.project["task"], self.project["labels"])

    def start(self, *_: Any) -> None:
        """Begin to renew leases and to send what waits."""
        with self._state:
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(target=self._tend, name="tithe", daemon=True)
                self._thread.start()

    def exit(self, *_: Any) -> None:
        """Send what waits, give back what nobody answered, let go."""
        if self._over.is_set():
            return
        self._over.set()
        self._notify()
        if self._thread is not None:
            self._thread.join(EXIT_SECONDS)
        until = time.monotonic() + EXIT_SECONDS
        try:
            self._deliver(until)
            self._release()
        except Trouble:
            say("not everything was sent")
        waiting = len(self.outbox.waiting(self.project["id"]))
        if waiting:
            say(f"{waiting} answers wait in {self.outbox.path}: they are sent when you start again")
        self.outbox.close()

    # -- items --

    def _ask(self, news: int) -> None:
        """Get more questions, or wait a while, or note that there will be none."""
        holder = self._free_holder()
        if holder is None:
            self._nothing("what was handed out is still open", 5, news)
            return
        try:
            asked = {"annotator": holder, "size": self.size}
            given = self._call("POST", f"/v1/projects/{self.project['id']}/batches", asked)
        except Refused as refused:
            self._end(str(refused))
            return
        except Trouble:
            self._wait(_pause(self._failures), None)
            self._failures += 1
            return
        self._failures = 0
        because, seconds = _words(given.get("empty_because")), given["retry_after_seconds"]
        doubted, self._doubted = self._doubted, False
        if given["batch_id"]:
            self._open(given["batch_id"], holder, given["items"])
        elif seconds is not None:
            self._nothing(because, seconds, news)
        elif self.one_by_one and self._out:
            self._nothing("an answer may bring another question about its item", 5, news)
        elif not doubted:  # while answers come in it may look like the end for a moment: ask twice
            self._doubted = True
            self._wait(PAUSES[0], None)
        else:
            self._end(because)

    def _free_holder(self) -> str | None:
        """A name without an open batch. It is this outbox's own: two machines may have a dataset of one name."""
        if self.alone:
            return None if self._batches else self.annotator
        base = f"prodigy-{self.dataset[:70]}-{self.outbox.id}"
        with self._state:
            taken = {holder for holder, _ in self._batches.values()}
        return next(name for n in range(1, len(taken) + 2) if (name := base if n == 1 else f"{base}-{n}") not in taken)

    def _open(self, batch: str, holder: str, items: Sequence[Json]) -> None:
        """Line up a batch's questions, but for what was answered already and is on its way."""
        with self._state:
            self._waits_for = ""
            self._batches[batch] = holder, self._next_beat()
            for item in items:
                self._items[item["item_id"]] = batch
                if not self.outbox.answered(batch, item["item_id"]):
                    self._tasks.extend(self._questions(batch, item))
        self._notify()

    def _questions(self, batch: str, item: Json) -> list[Json]:
        if not self.binary:
            return [question(self.project, batch, item)]
        labels, parts = self.project["labels"], self.outbox.parts(self.project["id"], batch, item["item_id"])
        order = likely_first(labels, item.get("prediction") or {})
        if self.project["task"] == "multilabel_classification":
            return [question(self.project, batch, item, about=label) for label in order if label not in parts]
        said = {label: part["verdict"] for label, part in parts.items()}
        first = verdict(said, self.project["task"], labels, order).get("ask")
        return [question(self.project, batch, item, about=first)] if first else []

    def _hand_over(self, task: Json) -> Json:
        self._out[task["tithe"]["item"], task["tithe"].get("about")] = time.monotonic(), task
        return task

    def _nothing(self, because: str, seconds: float, news: int) -> None:
        """Nothing now: ask again what went to a browser long ago and never came back, else wait."""
        with self._state:
            long_ago = time.monotonic() - AGAIN_SECONDS
            lost = [task for since, task in self._out.values() if since < long_ago]
            self._tasks.extend(_once_more(task) for task in lost)
        if lost:
            return
        if self._waits_for != because:
            self._waits_for = because
            say(f"nothing to ask now: {because}. It goes on by itself; save what is on the page")
        self._wait(seconds, news)

    def _end(self, because: str) -> None:
        self._ended = True
        say(f"no more questions: {because}. What is on the page can still be answered; save it there.")

    # -- answers --

    def _take(self, task: Json) -> list[Json]:
        """What one answered task adds to the outbox. Raises NoLabel."""
        ours = task.get("tithe")
        if not isinstance(ours, dict) or ours.get("project") != self.project["id"]:
            raise NoLabel(f"The task {str(task.get('text'))[:40]!r} is not of this project.")
        item = ours["item"]
        batch = str(self._items.get(item) or ours["batch"])  # under a new lease, where the first one lapsed
        annotator = self.annotator if self.alone else annotator_of(task, self.dataset, self.annotator)
        records: list[Json] = []
        says: Json | None
        if "about" in ours:
            records, says = self._part(task, batch, annotator)
        else:
            says = reading(task, self.project["task"], self.project["labels"])
        with self._state:
            self._out.pop((item, ours.get("about")), None)
            if "about" not in ours:  # no need to ask again, should it be about to
                self._tasks = collections.deque(one for one in self._tasks if one["tithe"]["item"] != item)
        return records + (self._answer(batch, item, annotator, says) if says else [])

    def _part(self, task: Json, batch: str, annotator: str) -> tuple[list[Json], Json | None]:
        """The answer to a single question, and what it makes of the item, if anything yet."""
        ours, said = task["tithe"], task.get("answer", "accept")
        if said not in ("accept", "reject", "ignore"):
            raise NoLabel(f"An answer is accept, reject or ignore, not {said!r}.")
        parts = self.outbox.parts(self.project["id"], batch, ours["item"])
        again = ours["about"] in parts and parts[ours["about"]]["verdict"] == said
        part = {"part": ours["about"], "verdict": said, "project": ours["project"], "batch": batch,
                "item": ours["item"], "annotator": annotator, "at": round(time.time(), 3)}  # fmt: skip
        if not again:
            parts.pop(ours["about"], None)
            parts[ours["about"]] = part
        says = verdict({label: one["verdict"] for label, one in parts.items()}, self.project["task"],
                       self.project["labels"], ours["order"])  # fmt: skip
        if "ask" in says and not again:
            with self._state:
                self._tasks.appendleft(asked_next({**task, "tithe": {**ours, "batch": batch}}, says["ask"]))
        others = sorted({one["annotator"] for one in parts.values()} - {annotator})
        if others and says and "ask" not in says:
            says["note"] = "; ".join(filter(None, [says.get("note"), f"questions answered with {', '.join(others)}"]))
        return ([] if again else [part]), (says if says and "ask" not in says else None)

    def _answer(self, batch: str, item: str, annotator: str, says: Json) -> list[Json]:
        """The answer as it is sent; nothing where it was said before, as when Prodigy sends a batch again."""
        project = self.project["id"]
        before = self.outbox.said(project, item, annotator)
        if before is not None and (before["batch"], before["says"]) == (batch, says):
            return []
        at, nth = round(time.time(), 3), 0 if before is None else before["nth"] + 1
        words = json.dumps([project, batch, item, annotator, says, nth, at], sort_keys=True)
        key = "prodigy-" + hashlib.sha256(words.encode()).hexdigest()[:40]
        return [{"key": key, "project": project, "batch": batch, "item": item, "annotator": annotator, "says": says,
                 "nth": nth, "at": at}]  # fmt: skip

    def _deliver(self, until: float = float("inf")) -> int:
        """Send what waits, oldest first; how many the server stumbled over. Raises Trouble where it does not answer.

        What is refused goes aside; what the server stumbles over keeps back the later answers to its item, no others.
        """
        stuck: set[str] = set()
        with self._sending:
            for record in self.outbox.waiting(self.project["id"]):
                if record["item"] in stuck or time.monotonic() > until:
                    continue
                try:
                    self._send(record)
                except Stumble as stumble:
                    say(f"the answer to {record['item']!r} waits: {stumble}")
                    stuck.add(record["item"])
                except Refused as refused:
                    say(f"AN ANSWER TO {record['item']!r} IS REFUSED: {refused}. Kept in {self.outbox.refused_path}")
                    self.outbox.refuse(record, str(refused))
        return len(stuck)

    def _send(self, record: Json) -> None:
        label = {"item_id": record["item"], "annotator": record["annotator"], **record["says"]}
        if record["nth"]:
            label["correct"] = True  # where nothing of theirs stands, it counts like any other
        path = f"/v1/batches/{record['batch']}/labels"
        seconds = EXIT_SECONDS / 2 if self._over.is_set() else CALL_SECONDS
        try:
            stored = self._call("POST", path, {"labels": [label]}, record["key"], seconds)
        except Refused as refused:
            if refused.status != 409:
                raise
            raise Stumble(str(refused)) from refused  # two changes at once: again
        outcome = stored["outcomes"][0]
        self.outbox.settle(record, outcome["outcome"])
        if outcome["outcome"] == "superseded":
            say(f"the answer to {record['item']!r} is kept but does not count: {_words(outcome['because'])}")
        if stored["batch_state"] != "open":
            self._forget(record["batch"])

    # -- in the background --

    def _tend(self) -> None:
        """Renew leases in time, and send what waits; go on whatever happens."""
        failures = 0
        while not self._over.is_set():
            news = self._news
            try:
                self._renew()
                failures = failures + 1 if self._deliver() else 0
            except Trouble:
                failures += 1
            except Exception as error:  # noqa: BLE001  (this thread must not end)
                say(f"something went wrong in the background: {error!r}")
                failures += 1
            self._wait(_pause(failures - 1) if failures else self._until_beat(), news)

    def _next_beat(self) -> float:
        return time.monotonic() + max(0.2, float(self.project["lease_seconds"]) / 3)

    def _until_beat(self) -> float:
        with self._state:
            due: float = min((at for _, at in self._batches.values()), default=time.monotonic() + 5)
        return min(max(0.05, due - time.monotonic()), 5.0)

    def _renew(self) -> None:
        """Keep the open batches. One that is over by now is forgotten, with the questions that nobody saw."""
        with self._state:
            due = [(batch, holder) for batch, (holder, at) in self._batches.items() if at <= time.monotonic()]
        for batch, holder in due:
            try:
                self._call("POST", f"/v1/batches/{batch}/heartbeat")
            except Refused:
                self._forget(batch)
            else:
                with self._state:
                    if batch in self._batches:
                        self._batches[batch] = holder, self._next_beat()

    def _forget(self, batch: str) -> None:
        with self._state:
            self._batches.pop(batch, None)
            self._items = {item: its for item, its in self._items.items() if its != batch}
            self._tasks = collections.deque(task for task in self._tasks if task["tithe"]["batch"] != batch)
            self._out = {key: out for key, out in self._out.items() if out[1]["tithe"]["batch"] != batch}
        self._notify()

    def _release(self) -> None:
        """Give back every batch whose answers are all sent. Raises Trouble."""
        late = {record["batch"] for record in self.outbox.waiting(self.project["id"])}
        for batch in [*self._batches]:
            if batch not in late:
                try:
                    self._call("POST", f"/v1/batches/{batch}/release", seconds=EXIT_SECONDS / 2)
                except Refused as refused:
                    say(f"a batch could not be given back, and lapses by itself: {refused}")
                self._forget(batch)

    # -- waiting, and saying why --

    def _notify(self) -> None:
        with self._wake:
            self._news += 1
            self._wake.notify_all()

    def _wait(self, seconds: float, news: int | None) -> None:
        """Until there is more news than that, or the time is up. `news` None: whatever the news is."""
        with self._wake:
            self._wake.wait_for(lambda: self._over.is_set() or (news is not None and self._news > news), seconds)

    def _call(
        self, method: str, path: str, body: Json | None = None, key: str = "", seconds: float = CALL_SECONDS
    ) -> Json:
        """Call the server; say once when it is away, and once when it is back. Raises Trouble, Refused."""
        try:
            told = self.server.call(method, path, body, key, seconds)
        except Stumble:
            raise
        except Trouble as trouble:
            if not self._troubled:
                waiting = len(self.outbox.waiting(self.project["id"]))
                say(f"{trouble}. Trying again and again; {waiting} answers wait in {self.outbox.path}")
            self._troubled = True
            raise
        if self._troubled:
            say(f"{self.server.url} answers again")
        self._troubled = False
        return told


def _pause(failures: int) -> float:
    return PAUSES[min(failures, len(PAUSES) - 1)]


def _once_more(task: Json) -> Json:
    """The question again, as another task."""
    ours = {**task["tithe"], "attempt": task["tithe"]["attempt"] + 1}
    parts = (ours["project"], ours["item"], ours["batch"], ours["attempt"], ours.get("about"))
    return {**task, "tithe": ours, "_task_hash": _hash(*parts)}


_WORDS = {
    "pool_empty": "the project has no items yet",
    "pool_exhausted": "every item is labeled",
    "budget_spent": "the budget is spent",
    "budget_reserved": "what is left of the budget is handed out",
    "all_leased": "every item left is with somebody",
    "answered_by_you": "what is left waits for other people's opinions",
    "answered_before": "this person had answered it before",
    "lease_lapsed": "it came late, and somebody else has the item",
    "item_taken": "somebody else had answered the item",
}


def _words(reason: str | None) -> str:
    return _WORDS.get(str(reason), str(reason))


# ---- recipes ----


def _home(outbox: str) -> Path:
    """Where the outbox is: as told, else in Prodigy's own folder, else here."""
    told = outbox or os.environ.get("PRODIGY_HOME", "")
    if told:
        return Path(told).expanduser()
    usual = Path.home() / ".prodigy"
    return usual if usual.is_dir() else Path.cwd()


def _desk(dataset: str, project: str, url: str, annotator: str, outbox: str, size: int, tasks: Sequence[str],
          binary: bool = False) -> Desk:  # fmt: skip
    server = Server(url or os.environ.get("TITHE_URL", "http://127.0.0.1:8000"))
    try:
        found = server.project(project)
    except (Trouble, Refused, LookupError) as error:
        raise SystemExit(f"Tithe: {error}") from None
    if found["task"] not in tasks:
        fitting = {"token_classification": "tithe.ner", "vector_classification": "none: vectors cannot be shown"}
        recipe = fitting.get(found["task"], "tithe.textcat")
        raise SystemExit(f"Tithe: the project {found['name']!r} is one of {found['task']}; its recipe is {recipe}")
    desk = Desk(server, found, Outbox(_home(outbox), dataset), dataset, annotator=annotator, binary=binary, size=size)
    elsewhere = desk.outbox.elsewhere(found["id"])
    if elsewhere:
        say(f"{elsewhere} answers in {desk.outbox.path} are of another project: start that one to send them")
    if desk.alone:
        say(f"{found['name']!r} wants {found['overlap']} opinions of each item: here all answers are those of "
            f"{desk.annotator!r}. Everybody starts a Prodigy of their own, with a dataset of their own")  # fmt: skip
    desk.start()
    return desk


def _components(desk: Desk, view_id: str, **config: Any) -> Json:
    return {
        "dataset": desk.dataset,
        "view_id": view_id,
        "stream": desk,
        "update": desk.update,
        "validate_answer": desk.validate,
        "on_load": desk.start,
        "on_exit": desk.exit,
        "config": {"feed_overlap": False, "auto_exclude_current": True, "exclude_by": "task", **config},
    }


def textcat(dataset: str, project: str, url: str = "", annotator: str = "", outbox: str = "", size: int = 0,
            binary: bool = False) -> Json:  # fmt: skip
    """Classify texts: choose among the project's classes, or say yes or no to one at a time."""
    tasks = ("text_classification", "multilabel_classification")
    desk = _desk(dataset, project, url, annotator, outbox, size, tasks, binary)
    single, labels = desk.project["task"] == "text_classification", desk.project["labels"]
    # The next question depends on the answer, or the next batch does: so answers come one by one.
    at_once = {"instant_submit": True} if desk.alone or desk.one_by_one else {}
    if binary:
        return _components(desk, "classification", labels=labels, **at_once)
    style = "single" if single else "multiple"
    return _components(desk, "choice", choice_style=style, choice_auto_accept=False, **at_once)


def ner(dataset: str, project: str, url: str = "", annotator: str = "", outbox: str = "", size: int = 0) -> Json:
    """Mark entities, beginning with what the model sees where the project shows it."""
    desk = _desk(dataset, project, url, annotator, outbox, size, ("token_classification",))
    at_once = {"instant_submit": True} if desk.alone else {}
    return _components(desk, "ner_manual", labels=desk.project["labels"], **at_once)


#: As Prodigy's own recipes have it: help, kind, shortcut, type.
ARGUMENTS: dict[str, tuple[str, str, str | None, Callable[[Any], Any]]] = {
    "dataset": ("Prodigy's dataset to save answers to", "positional", None, str),
    "project": ("Tithe's project, by name or id", "option", "p", str),
    "url": ("Tithe's address; default: TITHE_URL, else http://127.0.0.1:8000", "option", "u", str),
    "annotator": ("Who labels where there is no ?session=; default: the dataset's name", "option", "a", str),
    "outbox": ("Folder of the outbox; default: Prodigy's own", "option", None, str),
    "size": ("Items held at a time", "option", None, int),
}

if prodigy is not None:
    prodigy.recipe("tithe.textcat", **ARGUMENTS, binary=("One class at a time: yes or no", "flag", "B", bool))(textcat)
    prodigy.recipe("tithe.ner", **ARGUMENTS)(ner)
