"""``lamina recall``, ``remember`` and ``consolidate``."""

from lamina_cli.commands.recall import EXCERPT, excerpt


class TestRecall:
    def test_what_was_paged_out_is_found_with_its_page(self, lamina, recorded):
        lamina("pack", recorded(n=20), "--budget", "900")
        done = lamina("recall", "file_7.py", "--limit", "3")
        assert done.code == 0
        lines = done.out.splitlines()
        assert lines[0].split() == ["score", "tier", "where", "what"]
        assert len(lines) <= 4
        assert "demo#" in lines[1]
        assert "file_7.py" in lines[1]
        assert done.err == ""

    def test_json_holds_whole_texts_and_what_is_known_of_them(self, lamina, recorded, chat):
        lamina("import", recorded(n=20))
        done = lamina("recall", "which", "step", "looks at", "file_7.py", "--json").json
        assert (done["query"], done["session"]) == ("which step looks at file_7.py", None)
        hit = done["hits"][0]
        assert list(hit) == ["id", "text", "score", "scores", "tier", "session", "page", "kind", "tags", "importance",
                             "created_s", "used_s", "uses", "author", "thread", "provenance", "same"]  # fmt: skip
        assert hit["id"] == f"{hit['session']}#{hit['page']}"
        assert lamina("expand", hit["id"]).out.rstrip("\n") == hit["text"].rstrip("\n")

    def test_one_session_may_be_asked(self, lamina, recorded):
        for name in ("one", "two"):
            lamina("import", recorded(f"{name}.json", n=3))
        hits = lamina("recall", "port", "--session", "two", "--json").json["hits"]
        assert {hit["session"] for hit in hits} == {"two"}
        done = lamina("recall", "port", "--session", "three")
        assert done.code == 1
        assert done.err.startswith("lamina: no session 'three'; stored: ")

    def test_nothing_found_is_no_failure(self, lamina):
        done = lamina("recall", "anything")
        assert (done.code, done.raw, done.err) == (0, b"", "lamina: nothing recalled for 'anything'\n")
        assert lamina("recall", "anything", "--json").json["hits"] == []

    def test_a_person_is_told_how_to_read_on(self, lamina, recorded, terminal):
        lamina("import", recorded(n=3))
        terminal()
        assert "lamina expand 'demo#" in lamina("recall", "file_1.py").err

    def test_the_excerpt_shows_the_words_that_were_asked_for(self):
        text = "nothing here. " * 200 + "then we chose port 8417 for the tracker. " + "nothing there. " * 200
        shown = excerpt(text, "Which PORT did we choose for the tracker?")
        assert "chose port 8417 for the tracker" in shown
        assert len(shown) <= EXCERPT + 2
        assert shown.startswith("…")
        assert shown.endswith("…")
        assert excerpt("short\n\ttext", "x") == "short text"
        assert len(excerpt("word " * 1000, "(absent")) <= EXCERPT + 2
        assert "港口" in excerpt("无" * 400 + "我们选择了港口八千" + "无" * 400, "港口")


class TestRemember:
    def test_it_gives_the_id_and_recall_finds_it(self, lamina):
        id = lamina("remember", "the", "walrus lives in", "the blue safe", "--tag", "home", "--tag", "zoo").out.strip()
        (hit,) = lamina("recall", "walrus", "--json").json["hits"]
        assert (hit["id"], hit["text"], hit["tags"]) == (id, "the walrus lives in the blue safe", ["home", "zoo"])
        assert (hit["session"], hit["page"]) == (None, None)

    def test_json_holds_the_memory(self, lamina):
        memory = lamina("remember", "how to open it", "--kind", "procedural", "--importance", "0.9", "--json").json[
            "memory"
        ]
        assert (memory["text"], memory["kind"], memory["importance"]) == ("how to open it", "procedural", 0.9)

    def test_the_text_may_come_from_standard_input(self, lamina):
        assert lamina("remember", "-", "--json", stdin=b"several\nlines\n").json["memory"]["text"] == "several\nlines"
        assert lamina("remember", "-", stdin=b"  ").code == 2

    def test_without_tiers_the_remedy_is_said(self, lamina):
        done = lamina("remember", "x", "--set", "memory.tiers=[]")
        assert done.code == 1
        assert "memory.tiers: empty" in done.err


class TestConsolidate:
    def test_it_says_what_each_tier_holds(self, lamina, recorded):
        lamina("import", recorded(n=6))
        told = lamina("consolidate", "--json").json
        assert list(told) == ["demoted", "promoted", "superseded", "run", "extracted", "tiers"]
        assert list(told["tiers"]) == ["short", "medium", "long"]
        assert sum(told["tiers"].values()) > 6
        done = lamina("consolidate")
        assert done.out.splitlines()[0].split() == ["tier", "memories"]
        assert "0 promoted" in done.out

    def test_what_moved_is_listed(self, lamina, recorded):
        lamina("import", recorded(n=12))
        capacity = ("--set", "tiers.short.capacity=3")
        moved = lamina("consolidate", "--json", *capacity)
        assert moved.json["tiers"]["short"] == 3
        assert moved.json["demoted"][0] == {
            "memory": moved.json["demoted"][0]["memory"],
            "from": "short",
            "to": "medium",
        }


class TestMemories:
    def test_what_is_remembered_is_browsed_by_filters(self, lamina):
        for n, tag in enumerate(("ops", "ops", "food")):
            lamina("remember", f"fact {n}", "--tag", tag)
        told = lamina("memories", "--tag", "ops", "--json").json
        assert {memory["text"] for memory in told["memories"]} == {"fact 0", "fact 1"}
        assert told["more"] is False
        assert lamina("memories", "--limit", "1", "--json").json["more"] is True
        assert len(lamina("memories", "--kind", "semantic").out.splitlines()) == 4
        assert lamina("memories", "--tier", "long").err == "lamina: no memory fits\n"

    def test_what_is_forgotten_is_gone_and_a_stranger_is_named(self, lamina):
        id = lamina("remember", "the key lies in vault seven").out.strip()
        assert lamina("forget", id, "m-never").out == "1 memory forgotten\n"
        assert lamina("recall", "vault", "--json").json["hits"] == []
        done = lamina("forget", id)
        assert done.code == 1 or done.code == 2
        assert f"no memory '{id}'; see: lamina memories" in done.err

    def test_what_a_consolidation_superseded_stands_again(self, lamina):
        said = "the staging database of the billing team listens on port 8417 since last week"
        first = lamina("remember", said).out.strip()
        second = lamina("remember", said + " now").out.strip()
        settings = ("--set", 'memory.consolidators=["duplicates"]')
        done = lamina("consolidate", "--json", *settings).json
        lamina("remember", "something else", *settings)
        assert done["superseded"] == []  # written before anybody looked
        third = lamina("remember", said + " still", *settings).out.strip()
        fourth = lamina("remember", said + " still so", *settings).out.strip()
        done = lamina("consolidate", "--json", *settings).json
        assert {gone["memory"] for gone in done["superseded"]} <= {first, second, third}
        assert done["superseded"][0]["by"] == fourth
        assert lamina("undo", done["run"], *settings).out == "1 memory standing again\n"
        assert lamina("undo", *settings).out == "0 memories standing again\n"

    def test_explained_is_what_a_score_is_made_of(self, lamina):
        lamina("remember", "the key lies in vault seven")
        assert "found" in lamina("recall", "vault", "--explain").out
