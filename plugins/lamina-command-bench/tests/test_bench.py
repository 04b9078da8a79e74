import json

import pytest

from lamina_cli import main

FACTS = {
    "m1": "The staging database listens on port 5433.",
    "m2": "Deploys happen on Tuesdays, never on Fridays.",
    "m3": "The cat of the office is called Miso.",
    "m4": "Port 8417 belongs to the metrics server.",
}


@pytest.fixture
def files(tmp_path):
    rows = [
        {"id": id, "text": text, "namespace": space, "author": "ann", "created": "2024-05-01T10:00:00", "thread": "t", "order": n, "odd": 1}
        for space in ("a", "b")
        for n, (id, text) in enumerate(FACTS.items())
    ]  # fmt: skip
    rows = [{**row, "id": f"{row['namespace']}/{row['id']}"} for row in rows]
    queries = [
        {"id": "q1", "namespace": "a", "text": "which port has the staging database?", "relevant": ["a/m1"]},
        {"id": "q2", "namespace": "b", "text": "what is the cat called?", "relevant": ["b/m3", "b/m4"]},
        {"id": "q3", "namespace": "b", "text": "when do deploys happen?"},
    ]
    out = tmp_path / "M.jsonl", tmp_path / "Q.jsonl"
    for file, lines in zip(out, (rows, queries), strict=True):
        file.write_text("".join(json.dumps(line) + "\n\n" for line in lines), "utf-8")
    return out


def bench(monkeypatch, tmp_path, *arguments):
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return main(["bench", "recall", *map(str, arguments)])


def test_figures_and_findings_are_those_of_each_question(files, tmp_path, monkeypatch, capsys):
    memories, queries = files
    out = tmp_path / "ranked.jsonl"
    assert bench(monkeypatch, tmp_path, "--memories", memories, "--queries", queries, "--json", "--out", out) == 0
    told = json.loads(capsys.readouterr().out)
    (figures,) = told["configurations"]
    assert (told["memories"], figures["questions"], figures["mrr"]) == (8, 2, 1.0)
    assert 0.75 <= figures["recall@5"] <= figures["recall@20"] <= 1
    assert 0 < figures["recall_ms"]["p50"] <= figures["recall_ms"]["p99"]
    ranked = {row["id"]: row["ranked"] for row in map(json.loads, out.read_text().splitlines())}
    assert (ranked["q1"][0], ranked["q2"][0], ranked["q3"][0]) == ("a/m1", "b/m3", "b/m2")
    assert all(id.startswith("b/") for id in ranked["q2"])
    assert not (tmp_path / "home" / "lamina.db").exists()


def test_several_configurations_stand_side_by_side(files, tmp_path, monkeypatch, capsys):
    memories, queries = files
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(
            f'[rankers.fused]\nuse = "rrf"\nk = {len(name)}\n[memory]\nranker = "fused"\n'
        )
    arguments = ["--config", tmp_path / "one.toml", "--config", tmp_path / "two.toml"]
    assert bench(monkeypatch, tmp_path, "--memories", memories, "--queries", queries, *arguments) == 0
    shown = capsys.readouterr().out
    assert "recall@10" in shown
    assert "8 memories, 3 questions, 2 of which say what is relevant" in shown


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[]", ":1: a line must hold a JSON object"),
        ("{", ":1: no JSON"),
        ('{"id": "a"}', "text: must be text, not 'None'"),
        ('{"id": "a", "text": "b", "created": "soon"}', "created: 'soon' is no time in ISO 8601"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(files, tmp_path, monkeypatch, capsys, line, told):
    memories, queries = files
    memories.write_text(line + "\n")
    assert bench(monkeypatch, tmp_path, "--memories", memories, "--queries", queries) == 1
    assert told in capsys.readouterr().err
