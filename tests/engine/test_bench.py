"""The benchmarks run and say what they should; how fast anything is, is not tested here."""

import json

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from sdstream.cli.bench_engine import register


def bench(*arguments: str) -> Result:
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


@pytest.mark.slow
def test_paper_makes_its_tables_and_a_figure(tmp_path):
    file = tmp_path / "paper.png"
    result = bench(
        "paper", "--model", "small@64x64", "--frames", "5", "--only", "table2,ablation,similarity", "--plot", str(file)
    )
    assert file.read_bytes().startswith(b"\x89PNG")
    for column in ("full/self", "without similarity filter", "unet_rows", "cpu_seconds"):
        assert column in result.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # diffusers' own pipelines, which only the baseline uses, warn of themselves
def test_table_one_compares_with_diffusers_own_pipeline():
    result = bench("paper", "--model", "small@64x64", "--frames", "5", "--only", "table1", "--json")
    rows = json.loads(result.stdout)["table1"]
    assert [row["n"] for row in rows] == [1, 2, 4, 10]
    assert all(row["diffusers_fair_ms"] > 0 for row in rows)


@pytest.mark.parametrize(
    "arguments",
    [
        ("engine", "--model", "small@big"),
        ("engine", "--steps", "7"),
        ("engine", "--steps", "x"),
        ("paper", "--only", "y"),
    ],
)
def test_mistakes_are_usage_errors(arguments):
    assert bench(*arguments).exit_code == 2
