"""Prints docs/support.md: which published kinds of model file run, and the test that tries each kind."""

SAMPLER = "tests/engine/denoising/test_sampler.py::"
DISTIL = "tests/engine/test_distillations.py::"
NAMES = "tests/engine/adapters/test_lora_names.py::"
FORMATS = "tests/engine/adapters/test_lora_formats.py::"
NETS = "tests/engine/adapters/test_controlnet"
CARD = f"{DISTIL}test_a_published_file_has_the_sampler_of_its_model_card"
NAMING = f"{NAMES}test_a_layer_of_the_unet_is_found_by_every_naming"
LYCORIS = f"{FORMATS}test_a_file_of_lycoris_gives_the_weights_of_lycoris"
ANNOTATOR = "tests/engine/adapters/test_annotators.py::"
FOLDER = f"{NETS}.py::test_the_scale_turns_a_controlnet_from_nothing_to_much"
TINY = "tests/engine/weights/test_tiny_autoencoder_file.py::test_a_single_file_with_both_halves_is_the_librarys_autoencoder"

# ruff: noqa: E501 - a row a line
ROWS = (
    (("SD-Turbo", "SDXL-Turbo"), "by the scheduler config", f"{SAMPLER}test_a_config_for_few_steps_chooses_its_own_sampler_and_any_other_the_papers"),
    (("Stable Diffusion 1.5 with LCM-LoRA",), "fused", f"{DISTIL}test_a_fused_lora_counts_at_its_weight"),
    (("LCM",), "as diffusers' scheduler", f"{SAMPLER}test_lcm_is_diffusers_own"),
    (("SDXL-Lightning", "Hyper-SD", "DMD2", "PCM"), "sampler and steps by the file's name", CARD),
    (("TCD",), "as diffusers' scheduler, with eta", f"{SAMPLER}test_tcd_is_diffusers_own_at_every_eta"),
    (("BK-SDM", "SSD-1B", "SDXS"), "their shapes of U-Net", f"{DISTIL}test_a_pruned_unet_runs"),
    (("LoRA of kohya", "LoRA of PEFT", "LoRA of OneTrainer", "LoRA of ComfyUI", "LoRA of diffusers"), "every naming", NAMING),
    (("LoCon", "DoRA", "LoHa", "LoKr"), "as LyCORIS", LYCORIS),
    (("Textual inversion",), "for both encoders of SDXL too", "tests/engine/conditioning/test_textual_inversion.py::test_a_word_has_the_vectors_of_the_file_as_in_diffusers"),
    (("IP-Adapter",), "SD 1.5 and SDXL, also plus", "tests/engine/adapters/test_ip_adapter.py::test_rows_with_their_own_weights_equal_diffusers"),
    (("ControlNet: canny",), "edges of the camera picture", FOLDER),
    (("ControlNet: tile",), "the camera picture itself", FOLDER),
    (("ControlNet: depth",), "with a depth model", FOLDER),
    (("ControlNet: hed", "ControlNet: lineart", "ControlNet: scribble"), "with a condition model", f"{ANNOTATOR}test_lines_are_white_on_black_however_the_model_gives_lines"),
    (("ControlNet: normal",), "with a condition model", f"{ANNOTATOR}test_normals_are_drawn_from_vectors_of_any_length"),
    (("ControlNet: openpose",), "with a pose model", f"{ANNOTATOR}test_a_pose_model_in_the_layout_of_transformers_runs"),
    (("ControlNet-Union",), "by control type", f"{NETS}_union.py::test_the_residuals_are_the_librarys_for_the_control_type"),
    (("TAESD", "TAESDXL"), "a file, a pair of files, or a folder", TINY),
    (("Full autoencoder in a single file",), "with `autoencoder: full`", "tests/engine/weights/test_vae_file.py::test_a_file_takes_the_place_of_the_models_own"),
    (("Pickles (.ckpt, .pt, .bin)",), "no: a pickle can run any code", f"{DISTIL}test_a_pickled_unet_is_refused"),
    (("Flow matching and EDM",), "no: other noise levels than DDPM's", "tests/engine/denoising/test_schedule.py::test_every_flow_or_edm_scheduler_of_the_library_is_refused"),
)  # fmt: skip
"""Kinds, how or why not, and the test; a kind is a row of the page."""


def page() -> str:
    """Return the text of docs/support.md."""
    head = (
        "# Which models run\n\nThe named test of each row runs on tiny random weights in the published layout; no published weights are\n"
        "tried. The rows of Turbo and of few-step files name a test of the choice of sampler.\n"
        "`python -m scripts.support > docs/support.md` writes this page.\n\n"
        "| kind | runs | how, or why not | test |\n| --- | --- | --- | --- |\n"
    )
    rows = [
        f"| {kind} | {'no' if how.startswith('no: ') else 'yes'} | {how.removeprefix('no: ')} | `{test.partition('::')[2]}` |"
        for kinds, how, test in ROWS
        for kind in kinds
    ]
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(page(), end="")
