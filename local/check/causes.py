"""Why a check fails: what it means, in plain words, and which setting mends it.

`anchor` is a heading of docs/troubleshooting.md, which says more.
"""

from __future__ import annotations

from enum import Enum


class Cause(Enum):
    """(anchor, meaning, remedy)"""

    # ---- Replicate's API
    REPLICATE_SILENT = (
        "replicate-does-not-answer",
        "Nothing that speaks Replicate's API answers at the address in use.",
        "look at REPLICATE_API_BASE_URL (parameter ReplicateApiBaseUrl), and whether this machine may "
        "connect there.",
    )
    TOKEN_REFUSED = (
        "replicate-refuses-the-token",
        "Replicate does not accept the API token: it is mistyped, revoked, or of another server.",
        "make a token at https://replicate.com/account/api-tokens; put it into REPLICATE_API_TOKEN here, "
        "and into "
        "the secret ReplicateTokenSecret of a deployed stack.",
    )
    OUT_OF_CREDIT = (
        "replicate-has-no-credit-left",
        "The Replicate account has no credit left (402); every generation would wait in line.",
        "buy credit, or raise the spend limit, at https://replicate.com/account/billing; a few minutes "
        "later "
        "queued generations go on by themselves.",
    )
    THROTTLED = (
        "replicate-refuses-for-the-rate",
        "Replicate refuses for the rate of requests (429); accounts with little credit are allowed very few.",
        "wait for as long as it said; then set ReplicateCreatesPerMinute and ReplicateReadsPerMinute to "
        "what the "
        "account is allowed.",
    )
    SECRET_UNREADABLE = (
        "webhook-secret-cannot-be-read",
        "Replicate does not tell the secret that it signs webhooks with, so that every webhook is refused.",
        "use a token that may read it; until then set ReplicateWebhookUrl to none: jobs finish by polling.",
    )
    MODEL_NOT_FOUND = (
        "model-is-not-found",
        "Replicate does not know this model or version, or not for this account.",
        "correct `version` of the model in layers/core/revela/data/catalog.json.",
    )
    MODEL_NOT_OFFICIAL = (
        "model-is-not-found",
        "Only official models run by owner/name; this one needs a version, and creates would be answered "
        "404.",
        "pin a version in layers/core/revela/data/catalog.json: owner/name:<64 hex digits>.",
    )
    MODEL_INPUT_DIFFERS = (
        "model-takes-other-inputs",
        "The model's own schema does not have every input that the catalog sends.",
        "compare `input` and `fixed_input` in layers/core/revela/data/catalog.json with the model's API "
        "page.",
    )
    MODEL_INPUT_REJECTED = (
        "model-takes-other-inputs",
        "Replicate will not take what the catalog sends to this model.",
        "compare `input` and `fixed_input` in layers/core/revela/data/catalog.json with the model's API "
        "page.",
    )
    PREDICTION_FAILED = (
        "prediction-fails",
        "The prediction was made and ended without an image.",
        "read the error; run the check again in a few minutes; look at https://www.replicatestatus.com.",
    )
    PREDICTION_SLOW = (
        "prediction-takes-too-long",
        "The prediction did not end in time: the model is cold, busy or down. It was canceled.",
        "run the check again with a larger --timeout-s; raise `deadline_s` in the catalog if that is how "
        "long it takes.",
    )
    OUTPUT_FORBIDDEN = (
        "output-cannot-be-downloaded",
        "Outputs come from an address that is not allowed; every generation would fail as outputs_missing.",
        "add its origin to REPLICATE_OUTPUT_ORIGINS (parameter ReplicateOutputOrigins).",
    )
    OUTPUT_UNUSABLE = (
        "output-cannot-be-downloaded",
        "The prediction succeeded, but its image cannot be had, or is none.",
        "see whether this machine may connect to the host of the outputs; outputs are deleted after one "
        "hour.",
    )
    # ---- where Replicate posts webhooks
    WEBHOOK_URL_MALFORMED = (
        "webhook-url-is-malformed",
        "The base URL for webhooks is none: it has a scheme, a host, perhaps a port and a path, and "
        "nothing more.",
        "set REPLICATE_WEBHOOK_URL (parameter ReplicateWebhookUrl) to the public base of the API, such as "
        "https://api.example.com, or to none.",
    )
    WEBHOOK_NOT_TLS = (
        "webhook-url-is-not-https",
        "Replicate posts webhooks over https only.",
        "set REPLICATE_WEBHOOK_URL (parameter ReplicateWebhookUrl) to an https:// URL, or to none.",
    )
    WEBHOOK_UNRESOLVED = (
        "webhook-host-is-not-found",
        "The host of the webhook URL has no address.",
        "correct REPLICATE_WEBHOOK_URL (parameter ReplicateWebhookUrl), or the host's DNS record.",
    )
    WEBHOOK_NOT_PUBLIC = (
        "webhook-address-is-not-public",
        "Replicate calls from the internet and cannot reach this address: it is private, or this machine's "
        "own.",
        "set REPLICATE_WEBHOOK_URL (parameter ReplicateWebhookUrl) to a public address, such as a "
        "tunnel's, or to none.",
    )
    WEBHOOK_CERTIFICATE = (
        "webhook-certificate-is-not-valid",
        "The certificate of the webhook URL's host does not prove its name, so that Replicate will not "
        "call it.",
        "renew it, name the host in it, and serve its whole chain.",
    )
    WEBHOOK_UNREACHABLE = (
        "webhook-url-is-not-reachable",
        "Nothing answers at the webhook URL. Jobs still finish, by polling, minutes later.",
        "see whether the stack or the tunnel runs and a firewall lets connections in.",
    )
    WEBHOOK_NOT_OURS = (
        "webhook-url-is-somebody-elses",
        "Something answers at the webhook URL, but not this system's door, which refuses what is not "
        "signed "
        "with 401 and the code webhook_unproven.",
        "set REPLICATE_WEBHOOK_URL (parameter ReplicateWebhookUrl) to the base of the API, and let nothing "
        "before it "
        "redirect, ask for a login or change the path.",
    )
    TIME_LIMITS = (
        "time-limits-contradict-each-other",
        "One time limit ends before another that must be over by then: work would be done twice, or cut off.",
        "restore the time-out in template.yaml, the lease in domain/policy.py or deadline_s in the catalog.",
    )
    # ---- a whole system
    API_SILENT = (
        "api-does-not-answer",
        "The API does not answer, or something else does in its place.",
        "compare --api-url with the stack's output ApiUrl; on one machine see whether `make up` is running.",
    )
    API_FAILING = (
        "api-answers-with-an-error",
        "The API answered with an error of its own.",
        "look for internal_error and temporarily_unavailable in the log of the function api.",
    )
    SIGN_IN_REFUSED = (
        "api-refuses-the-token",
        "The API does not accept the token: its issuer, audience, expiry or signature is not the expected "
        "one.",
        "compare its claims with the parameters JwtIssuer and JwtAudience (with the stack's own user pool: "
        "its outputs UserPoolId and UserPoolClientId); get a fresh token.",
    )
    NO_CREDITS = (
        "user-has-no-credits",
        "The user's account cannot pay for the cheapest image.",
        "grant credits: `python -m local account NAME --plan developer --credits 10` on one machine; "
        "see docs/operations.md, Grants, for a deployed stack.",
    )
    USER_LIMIT = (
        "user-has-reached-a-limit",
        "A limit of the user's plan, or of the API, is reached (429).",
        "wait for the time of Retry-After, or use a user of a larger plan.",
    )
    MODEL_UNAVAILABLE = (
        "model-is-unavailable",
        "The API cannot take this request now (503): usually because the model is down at Replicate.",
        "wait, or ask for one of the alternatives that the answer names.",
    )
    REQUEST_REFUSED = (
        "api-refuses-the-request",
        "The API does not take the request that its own catalog describes.",
        "deploy API and catalog of one version; compare this checkout's version with the one deployed.",
    )
    STUCK_WAITING = (
        "generation-stays-waiting",
        "The user's plan runs no more generations at once, and another one of the user's is not ending.",
        "look at the user's other generations; use a user without any.",
    )
    STUCK_QUEUED = (
        "generation-stays-queued",
        "No worker has sent it to Replicate: start_generation is not running, the pace has no slot, or "
        "Replicate "
        "refuses (no credit, a bad token, a block).",
        "run `python -m local check replicate`; look for create_refused in the log of start_generation, "
        "at GenerationQueue and its dead letters, and at ReplicateCreatesPerMinute.",
    )
    STUCK_PROCESSING = (
        "generation-stays-processing",
        "Replicate has it, and no webhook has told its end: polls will, within five minutes of it.",
        "run `python -m local check replicate` to see the webhook URL (ReplicateWebhookUrl); look for "
        "webhook_rejected in the log of replicate_webhook, and whether reconcile_jobs runs every minute.",
    )
    STUCK_SAVING = (
        "generation-stays-saving",
        "The images are made, and finish_generation is not done with storing them.",
        "look at the log of finish_generation, and at GenerationWebhookQueue and its dead letters.",
    )
    STUCK_JUDGING = (
        "judge-does-not-answer",
        "The images are made and safe, and their judge has not said yet that they may be shown.",
        "look for judge_unavailable in the log of finish_generation; look at ImageJudge.",
    )
    SUSPENDED = (
        "account-is-suspended",
        "Too much of what this user asked for was refused or blocked in a day.",
        "wait for the time of Retry-After, or use another user; on one machine "
        "`python -m local lift-suspension NAME` ends it.",
    )
    GENERATION_FAILED = (
        "generation-fails",
        "The generation ended without images; nothing was charged.",
        "look the code up there, and generation_id in the logs of start_generation and finish_generation.",
    )
    IMAGE_UNAVAILABLE = (
        "image-cannot-be-downloaded",
        "The image is stored, but its presigned URL does not give it.",
        "see whether the URL has expired (expires_at), the clocks agree, and api may read the bucket.",
    )
    IMAGE_DIFFERS = (
        "image-cannot-be-downloaded",
        "What the URL gives is not the image that the API describes.",
        "look at the object in the bucket: something has changed it since it was stored.",
    )
    CREDITS_DISAGREE = (
        "credits-do-not-add-up",
        "Account, ledger and generation tell different numbers. This must never be.",
        "note the ids, stop changing the account, and report it.",
    )
    NOT_DELETED = (
        "generation-is-not-deleted",
        "The generation of this check could not be deleted.",
        "look for delete_taken_over and the generation's id in the logs of api and reconcile_jobs.",
    )
    UPLOAD_REFUSED = (
        "photos-cannot-be-uploaded",
        "The bucket does not take a photo with the form that the API handed out.",
        "see whether the form has expired (expires_at), the clocks agree, and api may write to incoming/.",
    )
    PHOTOS_UNCHECKED = (
        "photos-stay-unchecked",
        "Photos are uploaded, and check_photo has not judged them.",
        "look at the log of check_photo, and at PhotoQueue and its dead letters.",
    )
    PHOTOS_REFUSED = (
        "good-photos-are-rejected",
        "Photos that are known to be good were rejected.",
        "look the codes up there; look at FaceInspector.",
    )
    TRAINING_STUCK = (
        "training-does-not-end",
        "The training is on its way for longer than this check waits.",
        "look at the logs of start_training, finish_training and reconcile_jobs, and at TrainingQueue, "
        "TrainingWebhookQueue and their dead letters.",
    )
    TRAINING_FAILED = (
        "training-fails",
        "The training ended without a version; nothing was charged.",
        "look the code up there, and training_id in the logs of start_training and finish_training.",
    )
    MODEL_NOT_DELETED = (
        "model-is-not-deleted",
        "The model of this check could not be deleted.",
        "look for delete_failed and the model's id in the logs of api and reconcile_jobs.",
    )

    def __init__(self, anchor: str, meaning: str, remedy: str) -> None:
        self.anchor = anchor
        self.meaning = meaning
        self.remedy = remedy
