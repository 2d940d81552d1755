"""Generations over the wire: what is asked for, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from api.schemas.wire import PageQuery, Time, Url, Wire, written

Status = Literal[
    "waiting", "queued", "starting", "processing", "saving", "judging", "succeeded", "failed", "canceled"
]
Harm = Literal["sexual", "nudity", "minors", "violence", "hate", "self_harm", "drugs", "other"]
REASON_MAX = 1000


def _reason(reason: str | None) -> str | None:
    """A form that was left empty gives no reason."""
    if reason is None:
        return None
    return written(reason.replace("\r\n", "\n"), maximum=REASON_MAX, lines=True) or None


class GenerationRequest(Wire):
    """What to make. Each model takes some of these fields, within ranges of its own: see the catalog."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    model: str = Field(description="Id of a model of the catalog, or of a trained one of your own.")
    prompt: str | None = Field(None, description="What to see in the images.")
    negative_prompt: str | None = Field(None, description="What not to see in them.")
    width: int | None = Field(None, description="Pixels. Together with height, instead of aspect_ratio.")
    height: int | None = Field(None, description="Pixels. Together with width, instead of aspect_ratio.")
    aspect_ratio: str | None = Field(None, description="A named size of the model, instead of pixels.")
    num_inference_steps: int | None = Field(None, description="Denoising steps: more are finer and slower.")
    guidance_scale: float | None = Field(None, description="How closely the images follow the prompt.")
    lora_scale: float | None = Field(None, description="How much an own model shows what it learned.")
    num_outputs: int | None = Field(
        None, description="How many images; by default no more than the plan allows."
    )
    seed: int | None = Field(None, description="Makes the same images again; chosen when absent.")
    format: str | None = Field(None, description="File format of the images.")
    quality: int | None = Field(None, description="Compression quality; has no meaning for png.")


class GenerationsQuery(PageQuery):
    status: Status | None = Field(None, description="Only generations in this state.")
    model: str | None = Field(None, description="Only generations of this model: the catalog's, or your own.")


class AppealRequest(Wire):
    model_config = ConfigDict(strict=True, extra="forbid")

    reason: Annotated[
        str | None, AfterValidator(_reason), Field(json_schema_extra={"maxLength": REASON_MAX})
    ] = Field(None, description="Why it should be looked at again, in the user's own words.")


class GenerationParams(Wire):
    """Everything that decides the images, defaults filled in; null where the model takes no such thing."""

    prompt: str
    negative_prompt: str | None = None
    width: int
    height: int
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    lora_scale: float | None = None
    num_outputs: int
    seed: int | None = None
    format: str | None = None
    quality: int | None = None


class JobCredits(Wire):
    """charged + refunded == estimated once the job has ended; until then all of it is held."""

    estimated: int
    held: int
    charged: int
    refunded: int


class Output(Wire):
    """One image. Sizes in pixels and bytes; `sha256` in hex, of the file behind `url`."""

    index: int
    url: Url
    thumbnail_url: Url = Field(description="WebP, its longest side at most 512 pixels.")
    expires_at: Time = Field(description="Both URLs work until then; ask again for new ones.")
    content_type: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    thumbnail_width: int
    thumbnail_height: int


class Blocked(Wire):
    """One image that was made and is not shown: why, as a stable word and in the caller's language."""

    index: int
    category: Harm
    reason: str
    appealable_until: Time | None = Field(
        description="It is kept until then, and somebody can look at it again; null when it is not kept."
    )


class Appeal(Wire):
    """What the user said against the blocked images, once; whoever operates the service is told."""

    appealed_at: Time
    reason: str | None


class Failure(Wire):
    """Why there are no images: a stable code, and a sentence in the language of Accept-Language."""

    code: str
    message: str
    category: Harm | None = Field(
        description="What a judge refused the prompt for (`prompt_moderated`); null for other codes."
    )


class Generation(Wire):
    id: str
    status: Status
    model: str
    model_version: str | None = Field(description="Which version of an own model; null for the catalog's.")
    params: GenerationParams
    credits: JobCredits
    cancel_requested: bool = Field(
        description="A cancel was asked for and passed on; images that are done first are kept and charged."
    )
    created_at: Time
    updated_at: Time
    started_at: Time | None
    completed_at: Time | None
    poll_after_s: int | None = Field(description="Ask again after so many seconds; null once it has ended.")
    outputs: list[Output]
    blocked: list[Blocked] = Field(description="Images that the safety check holds back.")
    appeal: Appeal | None
    error: Failure | None


class GenerationPage(Wire):
    """Newest first."""

    items: list[Generation]
    cursor: str | None = Field(description="Opaque; null on the last page.")
