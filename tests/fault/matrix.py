"""The faults that are tried: for each fault what must hold, and the tests that ask. `docs/faults.md` is made from here.

`python -m tests.fault.matrix` writes the page; a test fails when the page is not current, or names a test that is gone.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"


@dataclass(frozen=True)
class Row:
    """A fault, and what is asked of it."""

    fault: str
    held: str
    often: str
    """How often the fault is tried in a run of the tests."""
    tests: tuple[str, ...]
    """`file::function`, from `tests/`; a file alone stands for all its tests."""


FAULT = "fault/"
ROWS = (
    Row(
        "a publisher is killed, stops, or comes again and again",
        "slate, then live again with the next key frame; nothing grows",
        "20 restarts in a row, and single ones",
        (
            FAULT + "test_publisher_faults.py::test_a_publisher_that_restarts_twenty_times_is_live_each_time",
            FAULT + "test_publisher_faults.py::test_a_killed_publisher_gives_way_to_the_slate_and_a_new_one_comes_in",
        ),
    ),
    Row(
        "size, rate, codec or tracks change; sound without a picture",
        "the canvas stays; a state, not a crash",
        "each kind once",
        (
            FAULT + "test_publisher_faults.py::test_size_and_rate_may_change_in_flight",
            FAULT + "test_publisher_faults.py::test_sound_without_a_picture_is_a_state_and_not_a_crash",
        ),
    ),
    Row(
        "pictures that announce 12000 x 12000 pixels, up to 65535 x 65535",
        "counted as damaged; no memory is taken, and the pictures beside them are shown",
        "10 of 30 pictures, two codecs",
        ("sources/test_huge_pictures.py",),
    ),
    Row(
        "strangers at the RTMP port: silent, slow, wrong key, garbage",
        "a publisher gets in; no key in a log",
        "siege of idle peers",
        (
            FAULT + "test_publisher_faults.py::test_idle_strangers_do_not_keep_a_publisher_out",
            FAULT + "test_publisher_faults.py::test_a_wrong_key_stays_outside_and_is_not_logged",
            "sources/rtmp_server/test_strangers.py",
        ),
    ),
    Row(
        "a process crashes (KILL, SEGV, ABRT), hangs or is stopped: source, engine, sink",
        "a new process; the other outputs send 99 % and more",
        "each stage and signal",
        (FAULT + "test_stage_faults.py", "supervisor/test_stage.py"),
    ),
    Row(
        "an output's server or device is missing, busy, silent or stalled",
        "tried again, or left out if optional; no other output notices",
        "each once",
        (
            FAULT + "test_stage_faults.py::test_an_output_without_a_server_harms_no_other_and_is_tried_again",
            FAULT
            + "test_network_faults.py::test_a_stalled_server_of_one_output_harms_no_other_and_is_published_to_again",
            "sinks/test_virtualcam.py::test_a_camera_that_is_taken_is_unavailable_and_the_driver_s_reason_is_kept",
        ),
    ),
    Row(
        "the GPU runs out of memory (torch.OutOfMemoryError, injected)",
        "fewer steps, else a new process; the camera meanwhile; the run never ends",
        "at load, at new controls, and again and again",
        (FAULT + "test_engine_memory.py", "engine/test_memory_ladder.py"),
    ),
    Row(
        "a wrong file is saved on air: broken, odd, huge, a pipe, a folder, not ours",
        "old controls stay; log and status tell; the supervisor's loop goes on",
        "9 kinds on air, 500 values and 2 s of random edits",
        ("cli/test_config_follower.py", "cli/test_config_watcher.py", "config/test_strangers.py"),
    ),
    Row(
        "each control, and the sections, are saved on a running daemon",
        "controls and source change on air, the canvas waits for the next start; 99 % sent",
        "every control",
        (FAULT + "test_reload.py",),
    ),
    Row(
        "the disk is full, slow or read-only; a cache is damaged",
        "the recording ends alone; the cache is built anew",
        "each once",
        (
            "sinks/recording/test_recording_beside_a_stream.py::test_a_full_disk_ends_the_recording_alone",
            "sinks/recording/test_recording.py::test_a_slow_disk_holds_up_nothing",
            "engine/openvino/test_openvino.py::test_a_cache_that_cannot_be_written_costs_nothing_but_time",
            "engine/openvino/test_openvino.py::test_the_second_start_builds_nothing_and_a_damaged_cache_is_built_anew",
        ),
    ),
    Row(
        "the wall clock jumps by an hour, two hours back, a day",
        "99 % sent, no restart, no slate",
        "4 jumps",
        (FAULT + "test_clock.py", "test_house.py::test_time_is_monotonic_and_processes_are_spawned"),
    ),
    Row(
        "a long show",
        "memory, files, threads, shared memory and latency keep their level",
        "20 s; 5 min at night, an hour by hand (`SDSTREAM_SOAK_SECONDS`)",
        (FAULT + "test_soak.py",),
    ),
    Row(
        "a flood of requests and guests at the preview and the control server",
        "bounded places and bodies; the outputs keep their rate",
        "a storm of clients",
        ("sinks/test_preview_guests.py", "control/test_refusals.py", "control/test_rate_limit.py"),
    ),
    Row(
        "a model or a LoRA that leads elsewhere: pickles, code, links, bombs",
        "refused by name, in a moment",
        "each kind once; mutants of headers",
        ("engine/weights/test_folder_safety.py", "engine/adapters/test_lora_header.py"),
    ),
    Row(
        "secrets in URLs, options, errors, logs, reports, the list of processes",
        "stars everywhere",
        "every form of a URL, and random ones",
        ("test_redact.py", "cli/test_secrets.py", "test_log.py"),
    ),
    Row(
        "others take the processors, and the engine is too slow",
        "the engine skips pictures, the outputs send 95 % and more",
        "8 s with a loop on each core",
        (FAULT + "test_starvation.py",),
    ),
    Row(
        "a configuration of an earlier or a later version",
        "read, or refused in plain words",
        "each published version",
        ("config/test_golden.py",),
    ),
    Row(
        "the terminal closes, signals, a killed supervisor, a log without a reader",
        "the show goes on, or ends within 3 s with nothing left behind",
        "each once",
        (FAULT + "test_endings.py", "test_log.py"),
    ),
    Row(
        "mutants of bytes at seven doors: configuration, URL, weights, LoRA, prompt, preview, media",
        "an answer, and no other exception",
        "5 s a door (`SDSTREAM_FUZZ_SECONDS`), and the corpora",
        ("fuzz/test_targets.py",),
    ),
)


def page() -> str:
    """Return the text of docs/faults.md."""
    lines = [
        "# What is tried",
        "",
        "Each row is a fault that the tests inject, what has to hold, and how often a run of the tests tries. The page",
        "is written by `python -m tests.fault.matrix`; every claim is a test that fails when the claim does not hold.",
        "",
        "| fault | what holds | how often | tests |",
        "| --- | --- | --- | --- |",
    ]
    for row in ROWS:
        tests = ", ".join(f"[{Path(file).stem}](../tests/{file})" for file in _files(row))
        lines.append(f"| {row.fault} | {row.held} | {row.often} | {tests} |")
    return "\n".join(lines) + "\n"


def _files(row: Row) -> list[str]:
    return list(dict.fromkeys(test.partition("::")[0] for test in row.tests))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
