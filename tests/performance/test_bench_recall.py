import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import bench_recall
import fit_ranker

SHARED = Path(os.environ.get("LAMINA_SHARED", Path(__file__).parents[3] / "shared"))

MEMORIES = [
    {
        "id": f"{n}",
        "namespace": "s",
        "text": text,
        "author": who,
        "created": "2023-05-08T13:56:00",
        "thread": 1,
        "order": n,
    }
    for n, (who, text) in enumerate(
        [
            ("Ann", "I bought a red kayak."),
            ("Ben", "Nice! Where?"),
            ("Ann", "In Lisbon."),
            ("Ben", "I sold my old car."),
        ]
    )
]
QUERIES = [
    {"id": "q1", "namespace": "s", "text": "What did Ann buy?", "relevant": ["0"], "unknown": 1},
    {"id": "q2", "namespace": "s", "text": "What did Ben sell?", "relevant": ["3"]},
]


def test_each_configuration_gives_its_figures_and_all_rankings(tmp_path, monkeypatch, capsys):
    files = {"memories": MEMORIES, "queries": QUERIES}
    for name, rows in files.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = [x for name in files for x in (f"--{name}", str(tmp_path / name))]
    monkeypatch.setattr(sys, "argv", ["bench", *options, "--json", "--out", str(tmp_path / "out")])
    bench_recall.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["configuration"] for line in lines] == ["fts5", "learned"]
    assert lines[1]["mrr"] == lines[1]["recall@5"] == 1.0
    assert lines[1]["p99_ms"] >= lines[1]["p50_ms"] > 0
    ranked = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [line["ranked"][0] for line in ranked] == ["0", "3"]


def test_a_fit_finds_the_feature_that_tells():
    rng = np.random.default_rng(1)
    rows = []
    for n in range(40):
        ids = [f"{k}" for k in range(20)]
        good = rng.random(20)
        rows.append(
            ({"id": f"{n}", "relevant": [ids[int(good.argmax())]]}, ids, {"good": good, "noise": rng.random(20)})
        )
    weights = fit_ranker.fit(rows, ["good", "noise"], ridge=1.0)
    assert weights["good"] > 5 * abs(weights["noise"])
    first = [fit_ranker.ranked(row, weights)[0] in row[0]["relevant"] for row in rows]
    assert sum(first) >= 32


@pytest.mark.slow
def test_sessions_pose_questions_whose_answers_lie_outside_the_window():
    if not (SHARED / "data/claude_code").is_dir():
        pytest.skip("the recorded sessions are not here; set LAMINA_SHARED")
    memories, queries = bench_recall.sessions(SHARED / "data")
    order = {m["id"]: n for n, m in enumerate(memories)}
    assert len(queries) > 50
    for query in queries:
        assert query["relevant"]
        assert all(order[id] <= order[query["before"]] for id in query["relevant"])
