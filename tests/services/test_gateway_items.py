"""Uploads: every format, every line that cannot be taken, and uploads that break."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from tithe.gateway.app import create_app
from tithe.gateway.readers.lines import lines
from tithe.loop.checking import BadLine
from tithe.runtime import Runtime
from tithe.storage import checks

NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client


def project(gateway: TestClient, task: str = "text_classification", labels: tuple[str, ...] = ("ham", "spam")) -> str:
    strategy = "random" if task == "token_classification" else "margin"
    spec = {"name": f"{task}{uuid.uuid4()}", "task": task, "labels": list(labels), "strategy": strategy}
    if task != "vector_classification":
        spec["encoder"] = "hashing"
    return "/v1/projects/" + gateway.post("/v1/projects", json=spec).json()["id"]


def send(gateway: TestClient, at: str, content: Any, media: str = NDJSON, **query: str) -> Any:
    return gateway.post(f"{at}/items", content=content, headers={"content-type": media}, params=query)


def stored(gateway: TestClient, at: str) -> list[dict[str, Any]]:
    text = gateway.get(f"{at}/export", params={"include": "all"}).text
    return sorted((json.loads(line) for line in text.splitlines() if line), key=lambda one: one["id"])


def reasons(answer: Any) -> dict[int, str]:
    body = answer.json()
    return {line["line"]: line["code"] for line in body.get("facts", body)["rejected_lines"]}


def table(columns: dict[str, Any], schema: pa.Schema | None = None) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), file)
    return file.getvalue()


# ---- JSON lines ----


def test_json_lines_become_items_and_sent_again_they_are_duplicates(gateway: TestClient, runtime: Runtime):
    at = project(gateway)
    content = (
        b'\xef\xbb\xbf{"id": "one", "text": "caf\xc3\xa9 \\ud83d\\ude00", "meta": {"page": 3, "tags": ["a", null]}}\r\n'
        b"\r\n"
        b'{"id": 2, "text": "b", "label": "ham"}\n'
        b'  {"text": "c", "label": "spam", "split": "test", "meta": null}\n'
        b'{"text": "d", "label": null, "split": "pool"}'
    )
    first = send(gateway, at, content)
    body = first.json()
    assert first.status_code == 200
    assert (body["lines"], body["accepted"], body["duplicates"], body["rejected"], body["labeled"]) == (4, 4, 0, 0, 2)
    again = send(gateway, at, content).json()
    assert (again["accepted"], again["duplicates"], again["labeled"]) == (0, 4, 0)
    found = {one["id"]: one for one in stored(gateway, at)}
    assert found["one"]["text"] == "café 😀"
    assert found["one"]["meta"] == {"page": 3, "tags": ["a", None]}
    assert found["2"]["label"] == "ham"
    assert sorted(one["split"] for one in found.values()) == ["pool", "pool", "pool", "test"]
    progress = gateway.get(f"{at}/imports/{body['import_id']}").json()
    assert (progress["state"], progress["accepted"], progress["rejected"]) == ("done", 4, 0)
    assert gateway.get(f"{at}/imports/{uuid.uuid4()}").status_code == 404
    assert gateway.get(f"{project(gateway)}/imports/{body['import_id']}").status_code == 404
    assert runtime.database.run(checks.check) == []


BAD_LINES: list[tuple[bytes, str]] = [
    (b"{", "not_json"),
    (b'{"text": "x"} {"text": "y"}', "not_json"),
    (b'{"text": "x", "text": "y"}', "not_json"),
    (b'{"text": "x", "meta": {"a": 1, "a": 2}}', "not_json"),
    (b'{"text": NaN}', "not_json"),
    (b'{"text": "x", "meta": {"a": Infinity}}', "not_json"),
    (b'{"text": "x", "meta": {"a": 1e400}}', "not_a_number"),
    (b'{"text": "x", "meta": {"a": ' + b"9" * 5000 + b"}}", "not_json"),
    (b"[" * 100_000, "too_deep"),
    (b'{"text": "x", "meta": ' + b'{"a":' * 30 + b"1" + b"}" * 31, "too_deep"),
    (b'["text"]', "not_an_object"),
    (b'"text"', "not_an_object"),
    (b"null", "not_an_object"),
    (b'{"text": "\xff"}', "not_utf8"),
    (b'{"text": "a\\u0000b"}', "nul_character"),
    (b'{"text": "x", "meta": {"k\\u0000": 1}}', "nul_character"),
    (b'{"text": "x", "meta": {"k": ["\\u0000"]}}', "nul_character"),
    (b'{"text": "x", "id": "\\u0000"}', "nul_character"),
    (b'{"text": "\\ud800"}', "lone_surrogate"),
    (b'{"text": "x", "meta": {"k": "\\udc00"}}', "lone_surrogate"),
    (b'{"text": ""}', "empty_text"),
    (b'{"text": " \\n\\u00a0"}', "empty_text"),
    (b'{"text": 7}', "not_a_text"),
    (b'{"text": null}', "no_text"),
    (b"{}", "no_text"),
    (b'{"id": "x", "label": "ham"}', "no_text"),
    (b'{"text": "x", "colour": "red"}', "unknown_key"),
    (b'{"text": "x", "id": ""}', "bad_id"),
    (b'{"text": "x", "id": 1.5}', "bad_id"),
    (b'{"text": "x", "id": true}', "bad_id"),
    (b'{"text": "x", "id": "a\\nb"}', "bad_id"),
    (b'{"text": "x", "id": "' + b"i" * 501 + b'"}', "bad_id"),
    (b'{"text": "x", "meta": "m"}', "bad_meta"),
    (b'{"text": "x", "meta": [1]}', "bad_meta"),
    (b'{"text": "x", "split": "train"}', "unknown_split"),
    (b'{"text": "x", "split": 1}', "unknown_split"),
    (b'{"text": "x", "split": "test"}', "test_without_label"),
    (b'{"text": "x", "label": "egg"}', "invalid_label"),
    (b'{"text": "x", "label": 1}', "invalid_label"),
    (b'{"text": "x", "label": ["ham"]}', "invalid_label"),
    (b'{"vector": [1, 2]}', "wrong_content"),
    (b'{"text": "x", "tokens": ["x"]}', "wrong_content"),
    (b'{"tokens": ["x"]}', "wrong_content"),
    (b'{"text": "' + b"x" * (300 << 10) + b'"}', "line_too_long"),
]


def test_a_line_that_cannot_be_taken_is_told_by_its_number_and_costs_nothing_else(
    gateway: TestClient, runtime: Runtime
):
    at = project(gateway)
    content = b"\n".join(b'%s\n{"text": "good %d"}' % (bad, at) for at, (bad, _) in enumerate(BAD_LINES))
    answer = send(gateway, at, content)
    assert answer.status_code == 200
    body = answer.json()
    assert reasons(answer) == {2 * number + 1: code for number, (_, code) in enumerate(BAD_LINES)}
    assert (body["accepted"], body["rejected"], body["lines"]) == (
        len(BAD_LINES), len(BAD_LINES), 2 * len(BAD_LINES),
    )  # fmt: skip
    assert all(line["reason"] for line in body["rejected_lines"])
    assert len(stored(gateway, at)) == len(BAD_LINES)
    assert runtime.database.run(checks.check) == []


def test_an_upload_of_which_nothing_can_be_taken_is_refused_with_its_counts(gateway: TestClient):
    at = project(gateway)
    answer = send(gateway, at, b'{"text": ""}\n' * 150)
    body = answer.json()
    assert (answer.status_code, body["code"], body["place"]) == (422, "bad_input", "line 1")
    assert (body["facts"]["rejected"], len(body["facts"]["rejected_lines"])) == (150, 100)
    assert send(gateway, at, b"").json()["code"] == "broken_upload"
    assert send(gateway, at, b"\n\r\n  \n").json()["code"] == "broken_upload"
    assert stored(gateway, at) == []


def test_keys_that_are_none_of_ours_go_into_meta_where_that_is_wanted(gateway: TestClient):
    at = project(gateway)
    line = json.dumps({"review": "good", "kind": "ham", "number": 5, "stars": 4, "meta": {"page": 1}})
    query = {"text_column": "review", "label_column": "kind", "id_column": "number", "extra": "meta"}
    assert send(gateway, at, line, **query).json()["accepted"] == 1
    (one,) = stored(gateway, at)
    assert (one["id"], one["text"], one["label"], one["meta"]) == ("5", "good", "ham", {"stars": 4, "page": 1})
    refused = send(gateway, at, line, text_column="x", label_column="x")
    assert (refused.status_code, refused.json()["code"]) == (422, "broken_upload")
    assert send(gateway, at, line, extra="drop").json()["place"] == "query.extra"


def test_an_id_that_names_other_content_is_told_and_the_rest_is_taken(gateway: TestClient):
    at = project(gateway)
    send(gateway, at, '{"id": "a", "text": "first"}')
    answer = send(
        gateway, at, '{"id": "a", "text": "other"}\n{"id": "b", "text": "third"}\n{"id": "b", "text": "fourth"}'
    )
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 2)
    assert reasons(answer) == {1: "id_taken", 3: "id_taken"}
    progress = gateway.get(f"{at}/imports/{answer.json()['import_id']}").json()
    assert (progress["accepted"], progress["rejected"]) == (1, 2)


def test_labels_may_come_later_even_twice_in_one_file(gateway: TestClient, runtime: Runtime):
    at = project(gateway)
    send(gateway, at, '{"text": "a"}\n{"text": "b"}')
    late = send(gateway, at, '{"text": "a", "label": "ham"}\n{"text": "a", "label": "spam"}\n{"text": "b"}').json()
    assert (late["duplicates"], late["labeled"]) == (3, 1)
    assert {one["text"]: one["label"] for one in stored(gateway, at)} == {"a": "ham", "b": None}
    assert runtime.database.run(checks.check) == []


def test_many_chunks_are_one_upload(gateway: TestClient, runtime: Runtime):
    object.__setattr__(runtime.settings, "import_chunk_rows", 7)
    at = project(gateway)
    content = "".join(f'{{"text": "number {n % 40}"}}\n' if n % 10 else "bad\n" for n in range(100))
    body = send(gateway, at, content).json()
    assert (body["accepted"], body["duplicates"], body["rejected"]) == (36, 54, 10)
    progress = gateway.get(f"{at}/imports/{body['import_id']}").json()
    assert (progress["accepted"], progress["duplicates"], progress["rejected"]) == (36, 54, 10)
    assert runtime.database.run(checks.check) == []


def test_lines_are_cut_right_wherever_the_pieces_end():
    whole = b"\xef\xbb\xbfone\n\ntwo\r\n" + b"x" * 50 + b"\n" + b"y" * 10 + b"\nlast"
    wanted = [(1, b"one"), (2, b""), (3, b"two\r"), (4, None), (5, b"y" * 10), (6, b"last")]
    for size in range(1, len(whole) + 1):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        found = [(one.line, None) if isinstance(one, BadLine) else one for one in lines(pieces, 20)]
        assert found == wanted, size
    assert list(lines([b"a"], 5)) == [(1, b"a")]
    assert [one.line for one in lines([b"z" * 9, b"z" * 9], 5) if isinstance(one, BadLine)] == [1]


def test_a_line_of_hundreds_of_megabytes_is_never_held():
    def pieces() -> Iterator[bytes]:
        yield b"first\n"
        for _ in range(300 * 16):
            yield b"x" * (64 << 10)
        yield b"\nlast"

    import tracemalloc

    tracemalloc.start()
    found = list(lines(pieces(), 256 << 10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [one if not isinstance(one, BadLine) else one.code for one in found] == [
        (1, b"first"), "line_too_long", (3, b"last"),
    ]  # fmt: skip
    assert peak < 2 << 20


# ---- what is sent as what ----


def test_what_the_upload_is_must_be_said_and_be_true(gateway: TestClient):
    at = project(gateway)
    for media in ("application/json", "text/plain", "multipart/form-data; boundary=x", "", "text/csv; charset=latin-1"):
        answer = send(gateway, at, b'{"text": "x"}', media)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media"), media
        assert "application/x-ndjson" in answer.json()["remedy"] or "UTF-8" in answer.json()["remedy"]
    packed = gateway.post(f"{at}/items", content=b"x", headers={"content-type": NDJSON, "content-encoding": "gzip"})
    assert packed.status_code == 415
    assert send(gateway, at, b"PAR1 this is no parquet", PARQUET).json()["code"] == "broken_upload"
    assert send(gateway, at, b"", PARQUET).json()["code"] == "broken_upload"
    assert send(gateway, at, '{"text": "x"}'.encode("utf-16")).json()["remedy"] == "save it as UTF-8"
    for media in ("application/jsonl", "application/json-lines", "application/x-ndjson; charset=UTF-8"):
        assert send(gateway, at, json.dumps({"text": media}), media).status_code == 200
    assert len(stored(gateway, at)) == 3
    nowhere = f"/v1/projects/{uuid.uuid4()}"
    assert send(gateway, nowhere, b'{"text": "x"}').status_code == 404


def test_uploads_have_a_limit_of_their_own(gateway: TestClient, runtime: Runtime):
    object.__setattr__(runtime.settings, "upload_limit_bytes", 3 << 20)
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as small:
        at = project(small)
        line = b'{"text": "' + b"x" * 1000 + b' %d"}\n'
        taken = send(small, at, b"".join(line % n for n in range(2000)))
        assert (taken.status_code, taken.json()["accepted"]) == (200, 2000)
        refused = send(small, at, b"".join(line % n for n in range(4000)))
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
        chunked = send(small, at, (line % n for n in range(2000, 6000)))
        assert (chunked.status_code, chunked.json()["code"]) == (413, "too_large")
        assert chunked.json()["facts"]["import_id"]


# ---- CSV ----


def test_csv_rows_become_items(gateway: TestClient):
    at = project(gateway)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "text", "label", "split", "meta", "stars"])
    writer.writerow(["1", 'He said "no",\nand left', "ham", "", '{"page": 2}', "4"])
    writer.writerow(["2", "=1+1", "", "pool", "", ""])
    writer.writerow(["3", "über", "spam", "test", "", "5"])
    answer = send(gateway, at, "\ufeff" + text.getvalue() + "\r\n\r\n", "text/csv; charset=utf-8")
    assert (answer.status_code, answer.json()["accepted"], answer.json()["labeled"]) == (200, 3, 2)
    one, two, three = stored(gateway, at)
    assert (one["text"], one["meta"], one["label"]) == ('He said "no",\nand left', {"page": 2, "stars": "4"}, "ham")
    assert (two["text"], two["label"]) == ("=1+1", None)
    assert (three["text"], three["split"]) == ("über", "test")


def test_csv_rows_that_cannot_be_read_are_told_by_their_first_line(gateway: TestClient):
    at = project(gateway)
    content = (
        b"text,label\n"
        b"good one,ham\n"
        b"too,many,fields\n"
        b"few\n"
        b'"quoted" tail,ham\n'
        b'"two\nlines",spam\n'
        b"\xff,ham\n"
        b"bad label,egg\n"
        b" ,ham\n"
        b"nul\x00,ham\n" + b"long " + b"x" * (300 << 10) + b",ham\n"
        b"good two,\n"
        b'"never closed,ham\ngood three,ham\n'
    )
    answer = send(gateway, at, content, "text/csv")
    assert reasons(answer) == {
        3: "wrong_number_of_fields", 4: "wrong_number_of_fields", 5: "not_csv", 8: "not_utf8", 9: "invalid_label",
        10: "empty_text", 11: "nul_character", 12: "line_too_long", 14: "not_csv",
    }  # fmt: skip
    assert sorted(one["text"] for one in stored(gateway, at)) == ["good one", "good two", "two\nlines"]


def test_a_quote_that_is_never_closed_costs_no_more_than_one_row_of_the_longest(gateway: TestClient, runtime: Runtime):
    object.__setattr__(runtime.settings, "line_limit_bytes", 2000)
    at = project(gateway)
    rows = [f"row number {n}" for n in range(1000)]
    rows[10] = '"' + rows[10]
    answer = send(gateway, at, "text\n" + "\n".join(rows), "text/csv").json()
    assert answer["rejected"] == 1
    assert answer["accepted"] > 800
    assert "never closed" in answer["rejected_lines"][0]["remedy"]


def test_a_csv_header_must_name_the_content_once(gateway: TestClient):
    at = project(gateway)
    for header, query in [
        ("body,label", {}), ("text,text", {}), ("text,", {}), ("text;label", {}),
        ("text,label", {"text_column": "body"}), ("text", {"label_column": "kind"}), ('"text', {}), ("\udcff", {}),
    ]:  # fmt: skip
        content = header.encode("utf-8", "surrogateescape") + b"\nx,y\n"
        answer = send(gateway, at, content, "text/csv", **query)
        assert (answer.status_code, answer.json()["code"]) == (422, "broken_upload"), header
    answer = send(gateway, at, "body,kind\nx,ham\n", "text/csv", text_column="body", label_column="kind")
    assert answer.json()["labeled"] == 1
    assert "body" in send(gateway, at, "body\nx", "text/csv").json()["remedy"]
    assert send(gateway, at, "text\n", "text/csv").status_code == 422
    assert reasons(send(gateway, at, "text,stars\nx,5\n", "text/csv", extra="reject")) == {2: "unknown_key"}


def test_several_labels_in_csv_are_a_list_or_parted_by_bars(gateway: TestClient):
    at = project(gateway, "multilabel_classification", ("a", "b", "c"))
    content = 'text,label\none,b|a\ntwo,"[""c""]"\nthree,[]\nfour,\nfive,a|z\nsix,[a\n'
    answer = send(gateway, at, content, "text/csv")
    assert reasons(answer) == {6: "invalid_label", 7: "not_json"}
    found = {one["text"]: one["label"] for one in stored(gateway, at)}
    assert found == {"one": ["a", "b"], "two": ["c"], "three": [], "four": None}


# ---- tokens ----


def test_tokens_and_spans(gateway: TestClient):
    at = project(gateway, "token_classification", ("PER", "ORG"))
    good = [
        {"text": "Ada lives", "label": [{"start": 0, "end": 3, "label": "PER"}]},
        {"tokens": ["Grace", "Hopper"], "label": []},
        {"text": "😀 Ada", "label": [{"start": 2, "end": 5, "label": "PER"}]},
    ]
    bad = [
        {"text": "Ada", "label": [{"start": 0, "end": 4, "label": "PER"}]},
        {"text": "Ada", "label": [{"start": -1, "end": 2, "label": "PER"}]},
        {"text": "Ada", "label": "PER"},
        {"tokens": []},
        {"tokens": ["a", ""]},
        {"tokens": "a b"},
        {"tokens": ["a", "b"], "label": [{"start": 0, "end": 4, "label": "PER"}]},
        {"text": "x", "tokens": ["x"]},
    ]
    answer = send(gateway, at, "\n".join(json.dumps(one) for one in good + bad))
    assert answer.json()["accepted"] == 3
    assert list(reasons(answer).values()) == ["invalid_label"] * 3 + ["not_tokens"] * 3 + [
        "invalid_label",
        "wrong_content",
    ]
    assert {json.dumps(one.get("tokens") or one["text"]) for one in stored(gateway, at)} == {
        '"Ada lives"', '["Grace", "Hopper"]', json.dumps("😀 Ada"),
    }  # fmt: skip
    quoted = 'text,tokens,label\n,"[""Alan""]","[{""start"":0,""end"":4,""label"":""PER""}]"\n'
    assert send(gateway, at, quoted, "text/csv").json()["labeled"] == 1


# ---- vectors ----


def test_vectors_that_cannot_be_used_are_refused_one_by_one(gateway: TestClient, runtime: Runtime):
    at = project(gateway, "vector_classification")
    rows: list[tuple[str, str | None]] = [
        ('{"vector": [1, 2.5, -3e5], "label": "ham", "text": "shown to people"}', None),
        ('{"vector": [1, 2]}', "wrong_dimension"),
        ('{"vector": [0, 0.0, -0.0]}', "invalid_vector"),
        ('{"vector": [1e-60, 0, 0]}', "invalid_vector"),
        ('{"vector": [1e39, 0, 0]}', "invalid_vector"),
        ('{"vector": [1e400, 0, 0]}', "invalid_vector"),
        ('{"vector": [3e38, 3e38, 3e38]}', "invalid_vector"),
        ('{"vector": [1' + "0" * 400 + ", 0, 0]}", "invalid_vector"),
        ('{"vector": [NaN, 0, 0]}', "not_json"),
        ('{"vector": [true, 0, 0]}', "invalid_vector"),
        ('{"vector": ["1", 0, 0]}', "invalid_vector"),
        ('{"vector": [[1], [0], [0]]}', "invalid_vector"),
        ('{"vector": [1, null, 0]}', "invalid_vector"),
        ('{"vector": []}', "invalid_vector"),
        ('{"vector": "1 2 3"}', "invalid_vector"),
        ('{"vector": {"0": 1}}', "invalid_vector"),
        ('{"vector": [' + "1," * 16_000 + "1]}", "invalid_vector"),
        ('{"text": "no vector"}', "no_vector"),
        ('{"vector": [1, 2.5, -300000.0], "text": "shown to people"}', None),  # the same content again
        ('{"vector": [1, 2.5, -300000.0], "text": "another text"}', None),
    ]
    answer = send(gateway, at, "\n".join(line for line, _ in rows))
    assert reasons(answer) == {number: code for number, (_, code) in enumerate(rows, 1) if code}
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (2, 1)
    assert send(gateway, at, '{"vector": [1, 2]}').status_code == 422  # the pool remembers its dimension
    again = send(gateway, at, '{"vector": [3, 2, -0.0]}\n{"vector": [3, 2, 0.0]}').json()
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    assert runtime.database.run(checks.check) == []


def test_the_largest_vectors_postgres_takes_are_taken(gateway: TestClient, runtime: Runtime):
    object.__setattr__(runtime.settings, "line_limit_bytes", 1 << 20)
    at = project(gateway, "vector_classification")
    assert send(gateway, at, json.dumps({"vector": [0.1] * 16_000})).json()["accepted"] == 1
    at = project(gateway, "vector_classification")
    assert send(gateway, at, json.dumps({"vector": [0.1] * 16_001})).status_code == 422


# ---- Parquet ----


def test_parquet_rows_become_items(gateway: TestClient):
    at = project(gateway)
    content = table(
        {
            "id": [1, 2, 3],
            "text": ["a", "b", None],
            "label": ["ham", None, None],
            "stars": [5.0, float("nan"), 1.0],
            "seen": [datetime(2024, 1, 2, 3, 4, tzinfo=UTC)] * 3,
            "more": [{"x": [1, 2]}] * 3,
        }
    )
    answer = send(gateway, at, content, PARQUET)
    assert (answer.json()["accepted"], reasons(answer)) == (2, {3: "no_text"})
    one, two = stored(gateway, at)
    assert (one["text"], one["label"]) == ("a", "ham")
    assert one["meta"] == {"stars": 5.0, "seen": "2024-01-02T03:04:00+00:00", "more": {"x": [1, 2]}}
    assert two["meta"]["stars"] is None
    assert send(gateway, at, content[:-20], PARQUET).json()["code"] == "broken_upload"
    assert send(gateway, at, content[: len(content) // 2], "application/parquet").json()["code"] == "broken_upload"
    refused = send(gateway, at, content, PARQUET, extra="reject").json()
    assert (refused["code"], "stars" in refused["detail"]) == ("broken_upload", True)
    assert send(gateway, at, table({"body": ["x"]}), PARQUET).json()["code"] == "broken_upload"
    assert send(gateway, at, table({"body": ["x"]}), PARQUET, text_column="body").json()["accepted"] == 1
    assert reasons(send(gateway, at, table({"text": ["y", "z" * (300 << 10)]}), PARQUET)) == {2: "line_too_long"}
    assert reasons(send(gateway, at, table({"text": ["w", "v"], "raw": [None, b"\x00"]}), PARQUET)) == {2: "not_json"}
    assert send(gateway, at, table({"text": pa.array([], pa.string())}), PARQUET).json()["code"] == "broken_upload"


def test_parquet_vectors_of_every_list_type(gateway: TestClient):
    rows = np.random.default_rng(0).standard_normal((6, 4))
    types = [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 4), pa.list_(pa.float16())]
    for type_ in types:
        at = project(gateway, "vector_classification")
        column = pa.array([row.astype(np.float16).tolist() for row in rows], type=pa.list_(pa.float64())).cast(type_)
        assert (
            send(gateway, at, table({"embedding": column}), PARQUET, vector_column="embedding").json()["accepted"] == 6
        )
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(rows))
    at = project(gateway, "vector_classification")
    assert send(gateway, at, table({"vector": tensor}), PARQUET).json()["accepted"] == 6
    bad = pa.array([[1.0, 2.0], [1.0, None], [float("nan"), 1.0], [0.0, 0.0], [1.0], None], type=pa.list_(pa.float64()))
    at = project(gateway, "vector_classification")
    found = reasons(send(gateway, at, table({"vector": bad}), PARQUET))
    assert found == {
        2: "invalid_vector", 3: "invalid_vector", 4: "invalid_vector", 5: "wrong_dimension", 6: "no_vector",
    }  # fmt: skip


def test_labels_of_parquet_may_be_lists_and_spans(gateway: TestClient):
    at = project(gateway, "multilabel_classification", ("a", "b"))
    answer = send(gateway, at, table({"text": ["x", "y", "z"], "label": [["b", "a"], [], ["q"]]}), PARQUET)
    assert (answer.json()["labeled"], reasons(answer)) == (2, {3: "invalid_label"})
    at = project(gateway, "token_classification", ("PER",))
    spans = [[{"start": 0, "end": 3, "label": "PER"}], [{"start": 0, "end": 9, "label": "PER"}]]
    answer = send(gateway, at, table({"text": ["Ada", "Bob"], "label": spans}), PARQUET)
    assert (answer.json()["labeled"], reasons(answer)) == (1, {2: "invalid_label"})


def test_cells_that_python_cannot_hold_are_text_or_cost_their_line(gateway: TestClient):
    at = project(gateway)
    content = table(
        {
            "text": ["a", "b"],
            "nanoseconds": pa.array([1, None], pa.timestamp("ns")),
            "nowhere": pa.array([5, 6], pa.timestamp("us", "Mars/Base")),
        }
    )
    assert send(gateway, at, content, PARQUET).json()["accepted"] == 2
    assert next(one["meta"] for one in stored(gateway, at) if one["text"] == "a") == {
        "nanoseconds": "1970-01-01T00:00:00.000000001", "nowhere": "1970-01-01T00:00:00.000005+00:00",
    }  # fmt: skip
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"c", b"\xff"]).buffers())
    times = [("us", None), ("ms", "UTC"), ("us", "Mars/Base")]
    cells = [broken, *(pa.array([0, 2**60], pa.timestamp(unit, zone)) for unit, zone in times)]
    for number, column in enumerate([*cells, pa.array([0, 1], pa.duration("ns"))]):
        answer = send(gateway, at, table({"text": [f"first {number}", f"second {number}"], "more": column}), PARQUET)
        assert (answer.json()["accepted"], reasons(answer)) == (1, {2: "unreadable_cell"}), column.type
    answer = send(gateway, at, table({"text": broken}), PARQUET)
    assert (answer.json()["accepted"], reasons(answer)) == (1, {2: "unreadable_cell"})


def test_whatever_else_a_parquet_file_makes_its_reader_throw_refuses_the_file(
    gateway: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("tithe.gateway.readers.parquet._column", fail)
    answer = send(gateway, project(gateway), table({"text": ["a"]}), PARQUET)
    assert (answer.status_code, answer.json()["code"]) == (422, "broken_upload")


# ---- uploads that break ----


def test_a_project_that_goes_away_meanwhile_ends_its_upload(gateway: TestClient, runtime: Runtime):
    object.__setattr__(runtime.settings, "import_chunk_rows", 1)
    at = project(gateway)

    def content() -> Iterator[bytes]:
        yield b'{"text": "first"}\n'
        with runtime.database.unit() as unit:
            unit.connection.execute("UPDATE projects SET deleted_at = now()")
        yield b'{"text": "second"}\n'

    answer = send(gateway, at, content())
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_no_more_uploads_than_there_are_threads_for(gateway: TestClient):
    import anyio

    at = project(gateway)
    gateway.app.state.uploads = full = anyio.CapacityLimiter(1)  # type: ignore[attr-defined]
    gateway.portal.call(full.acquire_on_behalf_of, "somebody else")  # type: ignore[union-attr]
    answer = send(gateway, at, '{"text": "x"}')
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
