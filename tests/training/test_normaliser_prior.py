"""Fitting a population that is known."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from tandem_models.normaliser import NormalInverseGamma, read_prior, shipped_prior
from tandem_models.prosody import EXTRACTOR_VERSION, NAMES
from tandem_training.job import Job
from tandem_training.recipes.normaliser_prior import (
    Statistics,
    fit,
    negative_log_likelihood,
    read_turns,
    run,
    statistics,
)
from tandem_training.specs import NormaliserPrior

PLANTED = NormalInverseGamma(7.0, 0.25, 4.0, 20.0)


def population(prior: NormalInverseGamma, speakers: int, turns: int, seed: int) -> list[list[float]]:
    """`turns` is the mean; some speakers have one."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(speakers):
        sd = math.sqrt(1.0 / random.gamma(prior.a, 1.0 / prior.b))
        level = random.normal(prior.m, sd / math.sqrt(prior.k))
        found.append(random.normal(level, sd, 1 + random.poisson(turns - 1)).tolist())
    return found


def table(tmp_path: Path, values: dict[str, list[list[float]]], version: str = EXTRACTOR_VERSION) -> NormaliserPrior:
    path = tmp_path / "turns.jsonl"
    lines = [
        json.dumps({"speaker": f"s{speaker}", "extractor_version": version, "values": {name: value, "hnr": None}})
        for name, speakers in values.items()
        for speaker, turns in enumerate(speakers)
        for value in turns
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return NormaliserPrior(turns=path, provenance="simulated")


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_planted_parameters_are_recovered(scale: float) -> None:
    planted = NormalInverseGamma(PLANTED.m * scale, PLANTED.k, PLANTED.a, PLANTED.b * scale**2)
    found = fit(statistics(population(planted, 2000, 10, seed=3)))

    assert found.m == pytest.approx(planted.m, abs=0.5 * scale)  # between speakers 5.2, so a standard error of 0.12
    assert found.k == pytest.approx(planted.k, rel=0.1)
    assert found.a == pytest.approx(planted.a, rel=0.15)
    assert found.b == pytest.approx(planted.b, rel=0.15)


def test_the_fit_is_at_least_as_likely_as_the_truth() -> None:
    seen = statistics(population(PLANTED, 60, 5, seed=4))

    assert negative_log_likelihood(fit(seen), seen) <= negative_log_likelihood(PLANTED, seen)


def test_the_likelihood_of_one_turn_is_the_predictive_students() -> None:
    prior = NormalInverseGamma(1.0, 0.5, 2.0, 3.0)
    nu, loc, scale = prior.predictive()
    expected = -float(stats.t.logpdf(2.5, nu, loc, scale))

    assert negative_log_likelihood(prior, statistics([[2.5]])) == pytest.approx(expected)


def test_the_likelihood_of_three_turns_is_the_product_of_the_predictives() -> None:
    belief, total = PLANTED, 0.0
    for x in (3.0, 8.0, 5.5):
        total += float(stats.t.logpdf(x, *belief.predictive()))
        belief = belief.update(x)

    assert negative_log_likelihood(PLANTED, statistics([[3.0, 8.0, 5.5]])) == pytest.approx(-total / 3.0)


def test_the_likelihood_is_a_density() -> None:
    density = integrate.quad(lambda x: math.exp(-negative_log_likelihood(PLANTED, statistics([[x]]))), -500.0, 500.0)[0]

    assert density == pytest.approx(1.0, abs=1e-3)


def test_speakers_who_never_vary_are_no_trouble() -> None:
    seen: Statistics = statistics([[2.0, 2.0], [2.0, 2.0, 2.0], [2.0]])

    assert fit(seen).m == pytest.approx(2.0)


def test_a_fitted_prior_can_be_read_and_says_where_it_is_from(tmp_path: Path) -> None:
    spec = table(tmp_path, {"pitch_mean": population(PLANTED, 40, 6, seed=5), "rate": [[1.5, 1.6], [1.7]]})
    run(spec, Job(tmp_path))
    stored = json.loads((tmp_path / "prior.json").read_text("utf-8"))
    result = json.loads((tmp_path / "result.json").read_text("utf-8"))
    prior = read_prior(stored)

    assert stored["provenance"] == "simulated"
    assert prior[NAMES.index("pitch_mean")].m == pytest.approx(7.0, abs=2.5)
    assert prior[1:] == shipped_prior()[1:]  # two speakers are too few for the rate
    assert result["features"]["pitch_mean"]["nll_fitted"] < result["features"]["pitch_mean"]["nll_shipped"]
    assert result["features"]["rate"] == {"speakers": 2, "turns": 3, "fitted": False}
    assert len((tmp_path / "metrics.jsonl").read_text("utf-8").splitlines()) == 1


def test_too_few_speakers_for_anything_is_an_error(tmp_path: Path) -> None:
    spec = table(tmp_path, {"pitch_mean": [[5.0], [6.0]]})

    with pytest.raises(ValueError, match="no feature has 10 speakers"):
        run(spec, Job(tmp_path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: (?s:.*)Invalid JSON"),
        ('{"speaker": "a", "extractor_version": "%s", "values": {"f0": 1.0}}', "line 2: unknown prosodic feature 'f0'"),
        (
            '{"speaker": "a", "extractor_version": "tandem-prosody-0", "values": {}}',
            "line 2: extractor 'tandem-prosody-0'",
        ),
        ('{"speaker": "a", "extractor_version": "%s", "values": {"rate": NaN}}', "line 2: "),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    good = json.dumps({"speaker": "a", "extractor_version": EXTRACTOR_VERSION, "values": {"rate": 1.0}})
    path = tmp_path / "turns.jsonl"
    path.write_text(good + "\n" + line.replace("%s", EXTRACTOR_VERSION) + "\n", "utf-8")

    with pytest.raises(ValueError, match=message):
        list(read_turns(path))
