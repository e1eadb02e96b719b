"""Sharing what predicts over a hub."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

CARD = "README.md"
"""File of the model card."""


def upload(
    repo_id: str,
    save: Callable[[Path], None],
    card: Callable[[str], str],
    *,
    private: bool | None,
    token: str | bool | None,
) -> str:
    """Put what `save` writes into a folder, and the `card` of the repository's name, into a hub repository, made if
    needed; returns its address."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        Path(folder, CARD).write_text(card(url.repo_id), encoding="utf-8")
        api.upload_folder(repo_id=url.repo_id, folder_path=folder, commit_message="Upload from diffusionseg")
    return str(url)


def model_card(title: str, about: str, cls: str, where: str, license: str | None) -> str:
    """README.md with the hub's metadata.

    `about` goes on from what all of them do; `cls` is the class that loads it from `where`, a repository or folder.
    """
    licensed = "" if license is None else f"license: {license}\n"
    return f"""---
library_name: diffusionseg
pipeline_tag: image-segmentation
tags: [saliency, unsupervised, diffusion]
{licensed}---
# {title}

Finds the main object of a photograph: saliency, mask and box. {about}

```python
import diffusionseg as ds

model = ds.{cls}.from_pretrained("{where}")
prediction = model.predict("photo.jpg")[0]
```
"""
