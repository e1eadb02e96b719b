"""A generator learns to draw captioned photographs, and perhaps to know what an encoder knows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

from diffusionseg.pretraining.alignment import Aligner
from diffusionseg.pretraining.autoencoder import PatchComponents
from diffusionseg.pretraining.batches import Batches
from diffusionseg.pretraining.config import PretrainConfig, Report, learning_rate
from diffusionseg.pretraining.generator import Generator, build_scheduler, prepare_for_gpu, velocity_loss
from diffusionseg.pretraining.judge import CORLOC
from diffusionseg.training import Journal, WeightAverage, load_checkpoint, save_checkpoint, step_generator

SKIPPED = 10
"""Steps whose gradient is no number, after which a run gives up."""


def train_generator(
    model: Generator,
    average: WeightAverage,
    batches: Batches,
    components: PatchComponents,
    aligner: Aligner | None,
    out: Path,
    config: PretrainConfig,
    device: torch.device,
    compiled: bool,
    report: Report,
    look: Callable[[int, Journal], None],
) -> None:
    """Train `model` in place, and `average` with it, from the checkpoint in `out` on; `look` sees every checkpoint.

    Raises ValueError when the gradient was no number in `SKIPPED` steps.
    """
    on_gpu = device.type == "cuda"
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=on_gpu
    )
    # Skips the steps whose gradient is no number, without waiting for the GPU to tell; its scale counts them.
    scaler = torch.amp.GradScaler(device.type, init_scale=1.0, backoff_factor=0.5, growth_interval=2**31 - 1)
    resumed = load_checkpoint(out, model, average, optimizer)
    first, state = resumed or (0, {})
    if state.get("scaler"):
        scaler.load_state_dict(state["scaler"])
    journal = Journal(out, first, of_checkpoint=(CORLOC,))
    if first:
        # What a killed run left undone at its last checkpoint.
        look(first, journal)
    alphas = build_scheduler().alphas_cumprod.to(device)
    if on_gpu:
        prepare_for_gpu(model, compiled)
        if compiled and aligner is not None:
            aligner.compile()
    model.train()
    started = time.monotonic()
    steps, seen = range(first, config.steps), 0
    # A GPU is not to wait for its batches; on a processor there is no core to spare.
    for step, batch in zip(steps, batches.ahead(steps, workers=4 if on_gpu else 0), strict=True):
        rate = learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        pixels, tokens, captions, crops = (
            t.to(device, non_blocking=on_gpu) for t in (batch.pixels, batch.tokens, batch.captions, batch.crops)
        )
        latents = components.encode(pixels.permute(0, 3, 1, 2).float() / 255).contiguous(
            memory_format=torch.channels_last
        )
        drawn = step_generator(config.seed, step, device)
        loss, _, _ = velocity_loss(model, latents, tokens, captions, alphas, drawn, config.timestep_shift)
        aligned = None if aligner is None else aligner.loss(step, crops)
        total = loss if aligned is None else loss + config.alignment * aligned
        seen += len(pixels)
        told = step % 20 == 0 or (step + 1) % config.save_every == 0 or step + 1 == config.steps
        optimizer.zero_grad(set_to_none=True)
        # PyTorch has no type for it.
        scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        average.update(model)
        if told and scaler.get_scale() <= 0.5**SKIPPED:
            raise ValueError(
                f"the gradient was no number in {SKIPPED} steps or more until step {step}, the loss is {total.item()}; "
                f"{out} keeps the last checkpoint, start again in another --out with a lower --learning-rate"
            )
        if told:
            speed = seen / (time.monotonic() - started)
            numbers = {"loss": loss.item()}
            if aligned is not None:
                numbers["alignment"] = aligned.item()
            numbers |= {"grad_norm": norm.item(), "lr": rate, "photos_per_second": speed}
            values = {name: value for name, value in numbers.items() if math.isfinite(value)}
            journal.write(step, **values)
            report("generator", step + 1, config.steps, values)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            save_checkpoint(out, step + 1, model, average, optimizer, {"scaler": scaler.state_dict()})
            paused = time.monotonic()
            look(step + 1, journal)
            started += time.monotonic() - paused
