"""Which function answers which message."""

from tithe.contracts.tasks import EmbedBlock, PredictTexts, ScoreShard, SelectReady
from tithe.worker import Handlers

HANDLERS: Handlers = {
    EmbedBlock: "tithe.scorer.embed:embed_block",
    ScoreShard: "tithe.scorer.score:score_shard",
    SelectReady: "tithe.scorer.select:select_ready",
    PredictTexts: "tithe.scorer.predict:predict_texts",
}
