"""The benchmarks run and say what they should; how fast anything is, is not tested here."""

import json

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from sdstream import log
from sdstream.cli.bench_engine import register
from sdstream.errors import ConfigError, Unavailable


def bench(*arguments: str) -> Result:
    log.configure("warning")
    app = Typer()
    register(app)
    return CliRunner().invoke(app, [*arguments], catch_exceptions=False)


def test_engine_measures_every_mode_and_counts_the_rows():
    result = bench("engine", "--model", "small@64x64", "--steps", "2", "--frames", "5", "--json")
    rows = json.loads(result.stdout)["modes"]
    assert {row["mode"]: row["rows"] for row in rows} == {
        "none": 2,
        "self_negative": 2,
        "onetime_negative": 3,
        "full": 4,
        "cross_frame_attention": 2,
    }
    assert all(row["fps"] > 0 for row in rows)


def test_the_profile_adds_up_to_the_whole():
    result = bench("engine", "--model", "small@64x64", "--steps", "1", "--profile", "--json")
    rows = json.loads(result.stdout)["profile"]
    assert {row["part"] for row in rows} == {"encoder", "unet", "decoder", "glue"}
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)


def test_a_profile_of_what_torch_does_not_run_is_refused():
    with pytest.raises(Unavailable, match="acceleration"):
        bench("engine", "--model", "small@64x64", "--profile", "--set", "engine.acceleration=openvino")


def test_several_frames_a_call_are_measured_beside_one():
    result = bench("engine", "--model", "small@64x64", "--steps", "2x3", "--frames", "3", "--json")
    rows = json.loads(result.stdout)["per_call"]
    assert [(row["frames"], row["rows"], row["frames_late"]) for row in rows] == [(1, 2, 1), (3, 6, 5)]
    assert all(row["fps"] == pytest.approx(1e3 * row["frames"] / row["call_ms"]) for row in rows)
    assert rows[0]["of_one"] == 1.0


@pytest.mark.parametrize("override", ["engine.kind=passthrough", "engine.device=abacus", "engine.batch=1"])
def test_mistakes_in_settings_are_told_as_everywhere(override):
    with pytest.raises(ConfigError, match="engine"):
        bench("engine", "--set", override)


def test_paper_makes_its_tables_and_a_figure(tiny_model, tmp_path):
    file = tmp_path / "paper.png"
    result = bench(
        "paper",
        "--model",
        f"{tiny_model}@64x64",
        "--frames",
        "3",
        "--only",
        "table2,ablation,similarity",
        "--plot",
        str(file),
    )
    assert file.read_bytes().startswith(b"\x89PNG")
    for column in ("full/self", "without similarity filter", "unet_rows", "cpu_seconds"):
        assert column in result.stdout
    for part in ("Stream Batch", "residual guidance", "prompt cache", "pre-computation", "tiny autoencoder"):
        assert f"without {part}" in result.stdout


@pytest.mark.filterwarnings("ignore")  # diffusers' own pipelines, which only the baseline uses, warn of themselves
def test_table_one_compares_with_diffusers_own_pipeline(tiny_model):
    result = bench("paper", "--model", f"{tiny_model}@64x64", "--frames", "3", "--only", "table1", "--json")
    rows = json.loads(result.stdout)["table1"]
    assert [row["n"] for row in rows] == [1, 2, 4, 10]
    assert all(row["diffusers_fair_ms"] > 0 for row in rows)


@pytest.mark.parametrize(
    "arguments",
    [
        ("engine", "--model", "small@big"),
        ("engine", "--steps", "7"),
        ("engine", "--steps", "1x0"),
        ("engine", "--steps", "x"),
        ("paper", "--only", "y"),
    ],
)
def test_mistakes_are_usage_errors(arguments):
    assert bench(*arguments).exit_code == 2
