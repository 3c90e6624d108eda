"""What the files beside a model say of how it is used: how much it reads at once, how its tokens become a vector."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tithe.learners.encoding.pooling import MODES
from tithe.learners.encoding.unusable import ModelUnusable

_OLD_NAMES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
#: Read at once where the model sets no end, or one beyond what a word's state gains from.
_MOST_TOKENS = 512


@dataclass(frozen=True)
class Recipe:
    """How a model is used.

    Attributes
    ----------
    transformer
        The folder with its weights, configuration and tokenizer.
    config
        The transformer's ``config.json``.
    max_tokens
        Read at once, special tokens included.
    pooling
        Ways of pooling, side by side; mean where the folder says nothing.
    lower
        Texts are lower-cased first.
    prompt
        Goes before every text.
    beyond
        Modules after pooling that only sentence-transformers itself computes, by their class names.
    """

    transformer: Path
    config: dict[str, Any]
    max_tokens: int
    pooling: tuple[str, ...]
    lower: bool = False
    prompt: str = ""
    beyond: tuple[str, ...] = ()


def recipe(folder: Path) -> Recipe:
    """Read it.

    Raises
    ------
    ModelUnusable
        When a file is damaged or missing, or the folder begins with something other than a transformer.
    """
    modules = [(str(m["type"]).rpartition(".")[2], folder / str(m["path"])) for m in _modules(folder)]
    if not modules or modules[0][0] != "Transformer":
        raise ModelUnusable(f"{folder} begins with {modules[0][0] if modules else 'nothing'}, not with a transformer")
    transformer = modules[0][1]
    config = read_json(transformer / "config.json")
    if not isinstance(config, dict) or "model_type" not in config:
        raise ModelUnusable(f"{transformer / 'config.json'} names no model_type: it is no transformer's configuration")
    usage = _optional(transformer / "sentence_bert_config.json")
    prompts = _optional(folder / "config_sentence_transformers.json")
    prompt = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name") or "", "")
    beyond = tuple(kind for kind, _ in modules[1:] if kind not in ("Pooling", "Normalize"))
    pooling = next((path for kind, path in modules if kind == "Pooling"), None)
    return Recipe(
        transformer,
        config,
        _max_tokens(config, usage, _optional(transformer / "tokenizer_config.json")),
        ("mean",) if pooling is None else _pooling(pooling / "config.json"),
        bool(usage.get("do_lower_case")),
        prompt,
        beyond,
    )


def read_json(file: Path) -> Any:
    """What the file holds. Raises ModelUnusable, with the file's name, where it is missing or damaged."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelUnusable(f"the model has no {file.name}: {file} is missing", remedy="get its files again") from None
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{file} is damaged: {error}", remedy="get the model's files again") from error


def _modules(folder: Path) -> list[dict[str, Any]]:
    """Of a plain transformer without a list of modules: itself."""
    if not (folder / "modules.json").exists():
        return [{"type": "Transformer", "path": ""}]
    modules = read_json(folder / "modules.json")
    if not isinstance(modules, list) or not all(isinstance(m, dict) and {"type", "path"} <= m.keys() for m in modules):
        raise ModelUnusable(f"{folder / 'modules.json'} is no list of modules", remedy="get the model's files again")
    return modules


def _optional(file: Path) -> dict[str, Any]:
    found = read_json(file) if file.exists() else {}
    return found if isinstance(found, dict) else {}


def _pooling(file: Path) -> tuple[str, ...]:
    said = read_json(file)
    named = said.get("pooling_mode")
    modes = [named] if isinstance(named, str) else named or [mode for key, mode in _OLD_NAMES.items() if said.get(key)]
    unknown = set(modes) - set(MODES)
    if unknown or said.get("include_prompt") is False:
        why = f"pools by {', '.join(sorted(unknown))}" if unknown else "leaves the prompt out of the pooling"
        raise ModelUnusable(f"{file} {why}, which Tithe does not know; there are {', '.join(MODES)}")
    return tuple(modes) or ("mean",)


def _max_tokens(config: dict[str, Any], usage: dict[str, Any], tokenizer: dict[str, Any]) -> int:
    """As sentence-transformers has it; RoBERTa and its kin count their positions from behind the padding's."""
    positions = config.get("max_position_embeddings") or config.get("n_positions") or _MOST_TOKENS
    if config["model_type"] in ("roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"):
        positions -= int(config.get("pad_token_id") or 0) + 1
    said = usage.get("max_seq_length") or min(tokenizer.get("model_max_length") or _MOST_TOKENS, _MOST_TOKENS)
    return int(min(said, positions))
