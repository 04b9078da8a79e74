"""What is learned: near the truth, whatever else is reported."""

import math

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina_counter_calibrated._classes import CLASSES, classify
from lamina_counter_calibrated._fit import (
    FACTOR_BOUNDS,
    FRAME_BOUNDS,
    SHARES,
    Pair,
    calibrate,
    errors,
    fit,
    quantile,
    row,
    split,
)

_pairs = st.lists(
    st.builds(
        Pair,
        st.just("m"),
        st.just("c"),
        st.sampled_from("abc"),
        st.uuids().map(str),
        st.dictionaries(st.sampled_from(CLASSES), st.integers(0, 10**6), max_size=3),
        st.integers(0, 50),
        st.integers(0, 50),
        st.integers(-(10**6), 10**7),
    ),
    max_size=12,
)


def near(found, known, share):
    for name in CLASSES:
        assert found.factors[name] == pytest.approx(known.factors[name], rel=share), name


class TestFitting:
    def test_a_provider_that_is_linear_is_found(self, pairs, known):
        found = calibrate(pairs())
        near(found, known, 0.03)
        assert found.message_tokens == pytest.approx(known.message_tokens, abs=4)
        assert 15 < found.call_tokens < 36  # 30; a few tokens among thousands are drawn to the 4 of the prior
        assert found.after.mean < 0.01 < found.before.mean

    @pytest.mark.parametrize("seed", range(4))
    def test_noise_and_reports_that_are_wrong_do_little_harm(self, pairs, known, seed):
        near(calibrate(pairs(300, wrong=0.08, noise=0.1, seed=seed)), known, 0.08)

    def test_more_pairs_teach_better(self, pairs, known):
        def off(n):
            found = calibrate(pairs(n, noise=0.2))
            return sum(abs(found.factors[name] - known.factors[name]) for name in CLASSES)

        assert off(400) < off(6)

    def test_a_class_that_was_never_seen_has_the_factor_of_all(self, pairs, known):
        prose = [p for p in pairs(400) if set(p.texts) == {"prose"}]
        found = calibrate(prose)
        assert found.evidence["cjk"] == 0
        assert found.factors["cjk"] == pytest.approx(found.factors["prose"], abs=0.05)

    @settings(max_examples=60, deadline=None)
    @given(_pairs)
    def test_whatever_is_reported_factors_and_frames_keep_their_bounds(self, given_pairs):
        found = fit([pair for pair in given_pairs if pair.plausible])
        assert all(FACTOR_BOUNDS[0] <= factor <= FACTOR_BOUNDS[1] for factor in found[:-2])
        assert all(FRAME_BOUNDS[0] <= frame <= FRAME_BOUNDS[1] for frame in found[-2:])

    @settings(max_examples=40, deadline=None)
    @given(_pairs)
    def test_the_same_pairs_teach_the_same_and_finite_things(self, given_pairs):
        if not any(pair.plausible for pair in given_pairs):
            with pytest.raises(ValueError, match="no request"):
                calibrate(given_pairs)
            return
        found = calibrate(given_pairs)
        assert found == calibrate(given_pairs)
        assert all(
            map(math.isfinite, [*found.factors.values(), *found.after.margins, found.after.p95, found.after.over])
        )

    def test_a_context_that_was_cut_is_no_measurement(self, pairs):
        pair = pairs(1)[0]
        assert pair.plausible
        assert not any(evolve(pair, reported=n).plausible for n in (-5000, 0, 10**9))


class TestTheErrorBar:
    def test_no_session_is_judged_by_what_it_taught(self, pairs):
        """A session that is priced unlike all others stays wrong, though it would teach its own prices well."""
        odd = [evolve(p, reported=3 * p.reported) if p.session == "s0" else p for p in pairs(60)]
        folds = split(odd)
        assert [len({p.session for part in fold for p in part}) for fold in folds] == [1] * 6
        others = fit([p for p in odd if p.session != "s0"])
        assert calibrate(odd).after.p95 >= quantile(sorted(map(abs, errors(folds[0][0], others))), 0.5) > 0.5

    def test_a_lone_session_is_judged_in_halves(self, pairs):
        folds = split(pairs(9, sessions=1))
        assert [len(part) for fold in folds for part in fold] == [5, 4]

    def test_every_pair_is_judged_once(self, pairs):
        made = pairs(97, sessions=23)
        assert sorted(p.request for fold in split(made) for part in fold for p in part) == sorted(
            p.request for p in made
        )

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.floats(-0.9, 3.0), min_size=1, max_size=60))
    def test_margins_cover_their_share(self, found):
        from lamina_counter_calibrated._fit import error

        made = error(found)
        assert list(made.margins) == sorted(made.margins)
        for share, margin in zip(SHARES[1:], made.margins[1:], strict=True):
            covered = sum((1 + e) * (1 + margin) >= 1 - 2e-4 * (1 + margin) for e in found)
            assert covered >= math.floor(share * (len(found) - 1))

    def test_errors_are_of_the_whole_conversation_so_far(self, pairs):
        made = [
            evolve(p, texts={"code": 100}, messages=0, calls=0, reported=r)
            for p, r in zip(pairs(2), (80, 120), strict=True)
        ]
        assert errors(made, (1.0,) * len(row(made[0]))) == pytest.approx([0.25, 0.0])


class TestClasses:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("The port server reads its configuration from disk, and retries twice.", "prose"),
            ("Größenänderungen führen zu übermäßigem Verbrauch, sagte die Behörde gestern.", "prose"),
            ('{"id": "a-b", "tags": ["x", "y"], "next": null, "path": "/src/main.py"}', "code"),
            ("    def f(self, x):\n        return {x: [y for y in x if y]}\n", "code"),
            ("2025-01-02 12:34:56.789 17 4096 1.5e-07 33", "digits"),
            ("数据库连接失败，请检查端口。", "cjk"),
            ("データベースに接続できません", "cjk"),
            ("연결 실패: 포트를 확인하십시오", "cjk"),
            ("Ошибка: порт занят, проверьте настройки", "script"),
            ("פורט תפוס", "script"),
            ("\ud800" * 9, "script"),
        ],
    )
    def test_kinds_of_text_are_told_apart(self, text, kind):
        assert classify(text) == kind

    @given(st.text(st.characters(), max_size=50))
    def test_every_text_has_a_class(self, text):
        assert classify(text) in CLASSES

    def test_the_end_of_a_long_text_is_not_looked_at(self):
        assert classify("word " * 5000 + "数" * 100_000) == "prose"
