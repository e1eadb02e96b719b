"""Pretrain a small generator: autoencoder, tokenizer, perhaps an encoder that learns class names, then U-Net with text
encoder. Resumes from its own files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTokenizer

from diffusionseg.data import atomic_write, json_bytes, read_json_object
from diffusionseg.pretraining.alignment import Aligner, build_encoder, learn_names
from diffusionseg.pretraining.autoencoder import PatchComponents
from diffusionseg.pretraining.autoencoder_training import trained_autoencoder
from diffusionseg.pretraining.batches import Batches
from diffusionseg.pretraining.captions import train_tokenizer
from diffusionseg.pretraining.config import PretrainConfig, Report
from diffusionseg.pretraining.generator import build_generator
from diffusionseg.pretraining.generator_training import train_generator
from diffusionseg.pretraining.judge import CORLOC, check_judged, judge, judge_panels
from diffusionseg.pretraining.judged_photos import JudgedPhotos
from diffusionseg.pretraining.photos import Photos
from diffusionseg.pretraining.samples import write_sample_grid
from diffusionseg.pretraining.saving import damage_named, folder_digest, load_generator, save_generator, whole_folder
from diffusionseg.recognition import (
    FOLDER,
    describe_photos,
    find_encoder,
    keep_encoder,
    load_encoder,
    of_frequent_classes,
)
from diffusionseg.training import Journal, WeightAverage, team_size


def pretrain(
    photos: Photos,
    vocabulary: Sequence[str],
    general: Mapping[str, str],
    out: Path,
    config: PretrainConfig,
    *,
    device: torch.device,
    compiled: bool = True,
    larger: Sequence[Photos] = (),
    start_from: Path | None = None,
    captioned: Photos | None = None,
    encoder_from: Path | None = None,
    judged: JudgedPhotos | None = None,
    report: Report = lambda *_: None,
) -> Path:
    """Train on `photos` and write a Stable-Diffusion-layout folder to OUT/model; returns that folder.

    `vocabulary` holds the class names whose words become tokens. `larger` are photographs of the configuration's
    `larger_sizes`, one set for each. On a GPU the U-Net is compiled, for a minute or two before the first step of each
    size, and so is what reads the features to be aligned, unless not `compiled`. `start_from` is a finished model
    folder whose autoencoder, tokenizer, text encoder and U-Net the run continues. An encoder learns the classes of
    `captioned` photographs, of `image_size` and any classes, and the U-Net's features are aligned with it (see
    `alignment`); with `encoder_from`, the folder of an earlier run of this or of `distill`, they are aligned with that
    run's encoder. `judged` are annotated photographs that measure every checkpoint (see `judge`); they change nothing
    that is trained, and a run may go on with or without them. OUT also gets metrics.jsonl, curves.png, samples at every
    checkpoint, encoder/ with the training of the encoder, and the checkpoint, from which an interrupted run goes on; on
    one CPU thread it then ends with the same bits.
    Raises ValueError when OUT holds another run, naming what differs, when there is no finished encoder in
    `encoder_from`, when the gradient was no number in ten steps, and when judging is not possible: with this size or
    tokenizer, or since the encoder taken may have seen what judges.
    """
    if team_size() > 1:
        raise ValueError("a generator is trained by one process; start it without accelerate launch or torchrun")
    if start_from is not None and not (start_from / "model_index.json").is_file():
        raise ValueError(f"--start-from {start_from}: is no finished model folder (no model_index.json)")
    if captioned is None and encoder_from is not None:
        raise ValueError("--encoder-from: features are aligned with it on --captioned photographs; give those too")
    encoder = None if captioned is None else build_encoder(config.seed, device)
    taken, learnt = None, None
    if encoder is not None and encoder_from is not None:
        taken = find_encoder(encoder_from, out)
        learnt = load_encoder(encoder, taken)
    out.mkdir(parents=True, exist_ok=True)
    if tuple(some.images.shape[1] for some in larger) != config.larger_sizes:
        raise ValueError(f"larger must hold one set of photographs for each of larger_sizes {config.larger_sizes}")
    described = None
    if captioned is not None:
        captioned = of_frequent_classes(captioned, config.encoder.fewest)
        described = describe_photos(captioned)
        if judged is not None and learnt is not None and learnt["captioned"] != described:
            raise ValueError(
                "--judge: the encoder of --encoder-from learnt from other photographs than those of --captioned, and "
                "those that judge may be among them; give --captioned the same, or judge without"
            )
    _check_same_run(out, config, (photos, *larger), vocabulary, general, start_from, described, learnt)
    if taken is not None:
        keep_encoder(taken, out)
    model_dir = out / "model"
    tokenizer = _tokenizer([*vocabulary, *general.values()], model_dir / "tokenizer", start_from)
    if judged is not None:
        check_judged(judged, tokenizer, config.generator)
    vae, components = trained_autoencoder(photos, model_dir / "vae", config, start_from, device, report)
    # The same weights whether the autoencoder has just been trained or was there already.
    torch.manual_seed(config.seed)
    model = build_generator(config.generator, len(tokenizer), tokenizer.model_max_length)
    if start_from is not None:
        load_generator(model, start_from)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    components = PatchComponents(components.basis.to(device), components.mean.to(device))
    aligner = None
    if captioned is not None and encoder is not None:
        if taken is None:
            learn_names(encoder, captioned, out / FOLDER, config, device, partial(report, "encoder"))
        empty = tokenizer([""], padding="max_length", truncation=True, return_tensors="pt").input_ids
        aligner = Aligner(model, encoder, captioned, components, empty, config, device)
    average = WeightAverage(model, config.average_decay)

    def draw(step: int) -> None:
        path = out / "samples" / f"step-{step:06d}.png"
        if not path.exists():
            write_sample_grid(path, model, average.weights, vae.to(device), tokenizer, photos.names, config.seed)

    def look(step: int, journal: Journal) -> None:
        """Judge and draw the checkpoint after `step` steps, where that is not done yet."""
        if judged is not None and not any(r["step"] == step and CORLOC in r for r in journal.records()):
            values = judge(
                judged,
                model,
                average.weights,
                vae.to(device),
                tokenizer,
                components,
                lambda done, total: report("judging", done, total, {}),
            )
            journal.write(step, **values)
            report("judge", step, config.steps, values)
        names = dict.fromkeys(name for record in journal.records() for name in record)
        aligned = {"1 − cosine with the encoder": ["alignment"]} if "alignment" in names else {}
        journal.plot({"loss": ["loss"], **aligned, "learning rate": ["lr"], **judge_panels(names)})
        draw(step)

    batches = Batches(photos, larger, general, tokenizer, config, captioned)
    train_generator(model, average, batches, components, aligner, out, config, device, compiled, report, look)
    save_generator(model_dir, model, average.weights, photos.names)
    return model_dir


def _check_same_run(
    out: Path,
    config: PretrainConfig,
    sets: Sequence[Photos],
    vocabulary: Sequence[str],
    general: Mapping[str, str],
    start_from: Path | None,
    captioned: dict[str, Any] | None,
    learnt: dict[str, Any] | None,
) -> None:
    """Write what the run in `out` is made of, or compare it with what is there; `captioned` and `learnt` are the
    descriptions of the photographs and of the encoder that was taken."""
    digest = hashlib.sha256()
    for some in sets:
        digest.update(some.images.data)
        digest.update(some.labels.data)
    wanted: dict[str, Any] = {
        **asdict(config),
        "photos": [len(some) for some in sets],
        "photos_sha256": digest.hexdigest(),
        "names": sets[0].names,
        "vocabulary": sorted(vocabulary),
        "general": dict(general),
        "start_from": None if start_from is None else folder_digest(start_from),
        "captioned": captioned,
    }
    if captioned is None:
        # No weight depends on them.
        for name in ("alignment", "aligned_batch_size", "aligned_below", "encoder"):
            del wanted[name]
    elif learnt is not None:
        wanted["encoder_from"] = learnt
        del wanted["encoder"]
    wanted = json.loads(json.dumps(wanted))
    path = out / "pretrain.json"
    if path.exists():
        existing = read_json_object(path)
        differing = sorted(k for k in wanted if existing.get(k) != wanted[k])
        if differing:
            what = f"{', '.join(differing)} differ"
            if "photos_sha256" in differing:
                what += "; photos do with the sources, --classes-file, --image-size and --zoom-out"
            raise ValueError(f"{path}: another run ({what}); use another --out")
    else:
        # Once, so that its time says when the run began.
        atomic_write(path, json_bytes(wanted))


def _tokenizer(words: Sequence[str], directory: Path, start_from: Path | None) -> CLIPTokenizer:
    if not directory.is_dir():
        with whole_folder(directory) as folder:
            if start_from is not None:
                shutil.copytree(start_from / "tokenizer", folder, dirs_exist_ok=True)
            else:
                train_tokenizer(words, folder)
    with damage_named(directory):
        return CLIPTokenizer.from_pretrained(directory)
