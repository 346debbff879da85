from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_answers import empty_answer, sample_answer

from rdmf_cli.errors import MissingExtra, RdmfError
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.json_lines import JsonWriter, error_line, json_line, rounded
from rdmf_cli.outputs.schema import PUBLISHED, publish, schema_text

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = [
    RdmfError("no video stream in this file", "talk.mp3"),
    RdmfError("empty query", todo="type what to look for"),
    MissingExtra("drawing figures", "plot"),
]
texts = st.text(st.characters(codec="utf-8"))


def published(name: str) -> dict:
    return json.loads((DOCS / name).read_text(encoding="utf-8"))


def check(name: str, line: str) -> dict:
    schema = published(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    fields = json.loads(line)
    jsonschema.Draft202012Validator(schema).validate(fields)
    return fields


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_schema_is_current(name: str) -> None:
    renew = "python -m rdmf_cli.outputs.schema docs"
    published, current = (DOCS / name).read_text(encoding="utf-8"), schema_text(PUBLISHED[name])
    assert plain(json.loads(published)) == plain(json.loads(current)), renew


def plain(schema: Any) -> Any:
    """Remove from a schema what only some versions of pydantic write.

    These are the type of a constant, and the permission of further keys.
    """
    if isinstance(schema, list):
        return [plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    constant = "const" in schema
    kept = {k: v for k, v in schema.items() if not (constant and k in ("type", "enum"))}
    if kept.get("additionalProperties") is True:
        del kept["additionalProperties"]
    return {name: plain(part) for name, part in kept.items()}


def test_publishing_writes_every_schema(tmp_path: Path) -> None:
    publish(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(PUBLISHED)


@pytest.mark.parametrize("answer", [sample_answer(), sample_answer(5400), empty_answer()])
def test_an_answer_keeps_to_the_published_schema(answer: Answer) -> None:
    fields = check("answer.schema.json", json_line(answer))
    assert len(fields["saliency"]) == len(answer.saliency)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_keeps_to_the_published_schema(error: RdmfError) -> None:
    fields = check("error.schema.json", error_line(error))
    assert fields == {"schema": "rdmf.error/1", "error": error.as_dict()}


@pytest.mark.parametrize("field", ["schema", "warnings", "offset", "timings", "moments"])
def test_the_schema_misses_a_missing_field(field: str) -> None:
    fields = json.loads(json_line(sample_answer()))
    del fields[field]
    with pytest.raises(jsonschema.ValidationError, match=field):
        check("answer.schema.json", json.dumps(fields))


def test_every_documented_field_is_there_and_the_other_way_round() -> None:
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    fields = json.loads(json_line(sample_answer()))
    assert [name for name in fields if f"`{name}`" not in text] == []
    assert list(fields) == [*dict.fromkeys(n for n in order_in(text) if n in fields)]


def order_in(text: str) -> list[str]:
    rows = [row for row in text.split("## An answer")[1].splitlines() if row.startswith("| `")]
    return [
        name
        for row in rows
        for name in row.split("|")[1].replace("`", " ").split(", ")
        for name in name.split()
    ]


@given(query=texts, number=st.floats(0, 1), raw=st.floats(-1e6, 1e6))
def test_a_line_reads_back_as_the_answer_it_was(query: str, number: float, raw: float) -> None:
    answer = sample_answer(3, query=query, presence=number, saliency_raw=[raw] * 3)
    line = json_line(answer)
    back = Answer.model_validate_json(line)
    assert "\n" not in line
    assert back.query == query
    assert back.presence == pytest.approx(number, abs=5e-7)
    assert back.saliency_raw == pytest.approx(answer.saliency_raw, abs=5e-7)
    assert json_line(back) == line


@given(st.floats(-1e5, 1e5))
def test_numbers_are_rounded_by_what_they_mean(number: float) -> None:
    facts = rounded({"start": number, "saliency": [number], "timings": {"fuse": number}})
    assert facts == {
        "start": round(number, 3),
        "saliency": [round(number, 4)],
        "timings": {"fuse": round(number, 3)},
    }
    assert "-0.0" not in json.dumps(rounded({"start": -abs(number) * 1e-12}))


def test_only_timings_differ_between_two_runs_and_they_come_last() -> None:
    lines = [json_line(sample_answer(timings={"b": s, "a": s})) for s in (0.1, 0.25)]
    heads = [line.split('"timings"')[0] for line in lines]
    assert heads[0] == heads[1]
    assert lines[1].endswith('"timings": {"a": 0.25, "b": 0.25}}')


@pytest.mark.parametrize(("encoding", "text"), [("utf-8", "дверь"), ("ascii", "\\u0434")])
def test_a_stream_gets_what_its_encoding_can_hold(encoding: str, text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    JsonWriter(stream).write(sample_answer(3, query="дверь"))
    JsonWriter(stream).write_error(RdmfError("no such file", "дверь.mp4"))
    lines = stream.buffer.getvalue().decode(encoding).splitlines()
    assert all(text in line for line in lines)
    assert json.loads(lines[0])["query"] == "дверь"


def test_each_line_is_out_when_write_returns() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    JsonWriter(stream).write(sample_answer(3))
    assert raw.getvalue().endswith(b"}\n")


def test_a_file_name_that_is_not_utf8_still_gives_json() -> None:
    name = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    line = error_line(RdmfError("no such file", name))
    assert (
        json.loads(line.encode("utf-8"))["error"]["subject"] == "caf\N{REPLACEMENT CHARACTER}.mp4"
    )


def test_json_md_lists_every_published_schema() -> None:
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    assert [name for name in PUBLISHED if f"({name})" not in text] == []
