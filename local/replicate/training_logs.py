"""What trainers print: the archive they unpacked, bars for this and that, and the bar of the steps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.replicate.photo_set import PhotoSet
from local.replicate.progress import progress_line

LORA = "output/flux_train_replicate/lora.safetensors"


@dataclass(frozen=True)
class FluxLogs:
    """flux-fine-tuner's, over ai-toolkit."""

    def opening(self, photos: PhotoSet, values: Mapping[str, Any]) -> str:
        lines = [f"Extracted {photos.files} files from zip to input_images"]
        if values.get("autocaption", True) and len(photos.captions) < len(photos.images):
            lines += ["downloading to:  liuhaotian/llava-v1.5-13b", _bar("Loading checkpoint shards", 3)]
            lines += [_captioned(name, photos, values) for name in photos.images]
        config = {"type": "custom_sd_trainer", "trigger_word": values["trigger_word"], "device": "cuda:0"}
        lines += [
            "Starting train job",
            json.dumps(config, indent=4),
            "Using EMA",
            "#############################################",
            "# Running job: flux_train_replicate",
            "#############################################",
            "Running  1 process",
            "Loading Flux model",
            "Loading transformer",
            _bar("Loading checkpoint shards", 2),
            "Dataset: input_images",
            "  -  Preprocessing image dimensions",
            _bar("", len(photos.images)),
            f"  -  Found {len(photos.images)} images",
            "Caching latents for input_images",
            " - Saving latents to memory",
            _bar("Caching latents", len(photos.images)),
            "Generating baseline samples before training",
        ]
        return "\n".join(lines) + "\n"

    def step(self, done: int, total: int, elapsed_s: float) -> str:
        line = progress_line(done, total, elapsed_s)
        return f"flux_train_replicate: {line.removesuffix(']' + chr(10))}, lr: 4.0e-04 loss: {_loss(done)}]\n"

    def closing(self) -> str:
        return f"Saved to {LORA}\noutput/flux_train_replicate/\n{LORA}\n"


@dataclass(frozen=True)
class SdxlLogs:
    """cog-sdxl's: it captions with BLIP and learns a token by pivotal tuning."""

    def opening(self, photos: PhotoSet, values: Mapping[str, Any]) -> str:
        lines = [
            str([f"./temp_in/{name.rpartition('/')[2]}" for name in photos.images]),
            f"Input captioning text: {values['caption_prefix']}",
            _bar("", len(photos.images)),
            f"# PTI : Using pivotal tuning, token {values['token_string']}",
            f"# PTI : Num examples = {len(photos.images)}",
            f"# PTI :  Total optimization steps = {values['max_train_steps']}",
        ]
        return "\n".join(lines) + "\n"

    def step(self, done: int, total: int, elapsed_s: float) -> str:
        return f"# PTI :step: {max(0, done - 1)}, epoch: {done // 8}: {progress_line(done, total, elapsed_s)}"

    def closing(self) -> str:
        return "Saving final model for return\n"


def padding(size_bytes: int) -> str:
    """Lines of a trainer that logs every tensor it touches."""
    line = (
        "create LoRA for transformer_single_transformer_blocks, module lora_A.weight torch.Size([16, 3072])\n"
    )
    return line * -(-size_bytes // len(line))


def _captioned(name: str, photos: PhotoSet, values: Mapping[str, Any]) -> str:
    if name in photos.captions:
        return f"{name.rpartition('/')[2]} is already captioned"
    prefix = values.get("autocaption_prefix") or ""
    return f"Caption for input_images/{name}: {prefix}A photo, soft light, 50% shade."


def _bar(label: str, total: int) -> str:
    bar = progress_line(total, total, total * 0.5).removesuffix("\n")
    return f"{label}: {bar}" if label else bar


def _loss(step: int) -> str:
    return f"{0.25 + 0.1 / (step + 1):.3e}"
