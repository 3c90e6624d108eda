"""Every error Tithe raises on purpose.

::

    TitheError                     status  code
    ├── BadInput                    422    bad_input            what was sent cannot be used; says where and what to do
    │   ├── InvalidLabel            422    invalid_label
    │   ├── UnknownStrategy         422    unknown_strategy
    │   ├── InvalidVector           422    invalid_vector
    │   ├── BrokenUpload            422    broken_upload
    │   ├── KeyReused               422    idempotency_key_reused
    │   ├── UnknownEncoder          422    unknown_encoder      in tithe.learners.registry
    │   ├── UnknownLearner          422    unknown_learner      in tithe.learners.registry
    │   └── AddressForbidden        422    address_forbidden    in tithe.connectors.errors
    ├── NotFound                    404    not_found            no such thing, or not in this project
    ├── Conflict                    409    conflict             true, but not now
    │   ├── NameTaken               409    name_taken
    │   ├── BatchClosed             409    batch_closed
    │   ├── RoundAlreadyOpen        409    round_already_open
    │   ├── NoModelYet              409    no_model_yet
    │   ├── TooFewControlLabels     409    too_few_control_labels in tithe.loop.machine
    │   ├── NoVectorYet             409    no_vector_yet        in tithe.loop.neighbours
    │   ├── NothingLabeledYet       409    nothing_labeled_yet  in tithe.loop.neighbours
    │   ├── NotEnoughClasses        409    not_enough_classes   in tithe.learners.protocol
    │   ├── VaultClosed             409    vault_closed         in tithe.vault
    │   └── SecretUnreadable        409    secret_unreadable    in tithe.vault
    ├── ToolError                   409    tool_error           in tithe.connectors.errors: the tool says no
    │   ├── CredentialRefused       409    credential_refused
    │   ├── RemoteGone              409    remote_gone
    │   ├── SchemaUnfit             409    schema_unfit
    │   └── ToolMisbehaves          409    tool_misbehaves
    ├── SignedOut                   401    signed_out           no key, no session, or one that does not count
    ├── NotAllowed                  403    not_allowed          the caller's role is not enough
    │   └── CrossSite               403    cross_site           a page of another site called
    ├── TooManyTries                429    too_many_tries       of signing in
    ├── HookRefused                 403    hook_refused         in tithe.connectors.errors
    ├── TooLarge                    413    too_large
    ├── UnsupportedMedia            415    unsupported_media
    ├── Unavailable                 503    unavailable          a server we lean on does not answer
    │   ├── EncoderUnavailable      503    encoder_unavailable  in tithe.learners.encoder_minilm
    │   ├── ModelUnreachable        503    model_unreachable    in tithe.learners.encoding.source
    │   ├── TorchMissing            503    torch_missing        in tithe.learners.extra
    │   ├── ToolUnreachable         503    tool_unreachable     in tithe.connectors.errors
    │   └── GatewayLeaves           503    unavailable          in tithe.gateway.intake
    └── WorkFailed                  500    work_failed          a worker's own failures, never seen over HTTP
        ├── StaleClaim              500    stale_claim          somebody newer owns the job: stop, write nothing
        ├── BlockLost               500    block_lost           a feature block's file is gone: it is made again
        ├── Hopeless                500    hopeless             trying again cannot help: fail the round now
        │   ├── UnknownModel        500    unknown_model        in tithe.learners.encoding.source
        │   ├── ModelUnusable       500    model_unusable       in tithe.learners.encoding.unusable
        │   └── TrainingDiverged    500    training_diverged    in tithe.learners.transformer.training
        ├── ArtifactMissing         500    artifact_missing     in tithe.artifacts
        ├── ArtifactDamaged         500    artifact_damaged     in tithe.artifacts
        └── InvalidKey              500    invalid_artifact_key in tithe.artifacts

A class's docstring is its default message; ``place`` says where in what was sent, ``remedy`` what to do about it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TitheError(Exception):
    """Something Tithe refuses or cannot do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "tithe_error"

    def __init__(
        self, message: str | None = None, *, place: str | None = None, remedy: str | None = None, **facts: Any
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.place = place
        self.remedy = remedy
        self.facts = facts
        super().__init__(self.message)


class BadInput(TitheError):
    """What was sent cannot be used."""

    status = 422
    code = "bad_input"


class InvalidLabel(BadInput):
    """The label does not fit the project's schema."""

    code = "invalid_label"


class UnknownStrategy(BadInput):
    """No strategy has that name."""

    code = "unknown_strategy"


class InvalidVector(BadInput):
    """The vector cannot be used."""

    code = "invalid_vector"


class BrokenUpload(BadInput):
    """The upload cannot be read as what it says it is."""

    code = "broken_upload"


class KeyReused(BadInput):
    """This Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"


class NotFound(TitheError):
    """There is no such thing here."""

    status = 404
    code = "not_found"


class Conflict(TitheError):
    """This cannot be done in the present state."""

    status = 409
    code = "conflict"


class NameTaken(Conflict):
    """A project of that name exists already."""

    code = "name_taken"


class BatchClosed(Conflict):
    """The batch is no longer open."""

    code = "batch_closed"


class RoundAlreadyOpen(Conflict):
    """A round of this project is still running."""

    code = "round_already_open"


class NoModelYet(Conflict):
    """No model has been trained yet."""

    code = "no_model_yet"


class SignedOut(TitheError):
    """Who calls is not known."""

    status = 401
    code = "signed_out"


class NotAllowed(TitheError):
    """The caller may not do this."""

    status = 403
    code = "not_allowed"


class CrossSite(NotAllowed):
    """The call came from another site's page."""

    code = "cross_site"


class TooManyTries(TitheError):
    """Too many tries."""

    status = 429
    code = "too_many_tries"


class TooLarge(TitheError):
    """The body is larger than this call takes."""

    status = 413
    code = "too_large"


class UnsupportedMedia(TitheError):
    """This call does not read that content type."""

    status = 415
    code = "unsupported_media"


class Unavailable(TitheError):
    """A server Tithe leans on does not answer."""

    status = 503
    code = "unavailable"


class WorkFailed(TitheError):
    """A worker could not do its job."""

    code = "work_failed"


class StaleClaim(WorkFailed):
    """A newer claim owns this job."""

    code = "stale_claim"


class BlockLost(WorkFailed):
    """A block's file is gone or damaged: it is made again, and the work tried once more."""

    code = "block_lost"


class Hopeless(WorkFailed):
    """Trying again cannot help."""

    code = "hopeless"
