"""The scorer's Celery application: ``celery -A tithe.scorer.worker worker -Q score``."""

from tithe.contracts.tasks import EmbedBlock, ScoreShard, SelectReady
from tithe.worker import Handlers, worker_app

HANDLERS: Handlers = {
    EmbedBlock: "tithe.scorer.embed:embed_block",
    ScoreShard: "tithe.scorer.score:score_shard",
    SelectReady: "tithe.scorer.select:select_ready",
}
app = worker_app("scorer", HANDLERS)
