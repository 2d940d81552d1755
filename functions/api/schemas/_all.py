"""What goes over the wire: requests as they are taken, resources as they are shown, problems.

docs/openapi.json is generated from these. Ranges and defaults of parameters are the catalog's: each
model narrows them, and `domain/catalog.py` holds requests to them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

Status = Literal["waiting", "queued", "starting", "processing", "saving", "succeeded", "failed", "canceled"]


def _milliseconds(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Cut to milliseconds, so that a time reads the same before and after it was stored.
Time = Annotated[
    datetime, PlainSerializer(_milliseconds), WithJsonSchema({"type": "string", "format": "date-time"})
]
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]


class Wire(BaseModel):
    # Schemas are built when first used: a cold start pays for those of its own request only.
    model_config = ConfigDict(frozen=True, defer_build=True, json_schema_serialization_defaults_required=True)


class GenerationRequest(Wire):
    """What to make. Each model takes some of these fields, within ranges of its own: see the catalog."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    model: str = Field(description="Id of a model of the catalog.")
    prompt: str | None = Field(None, description="What to see in the images.")
    negative_prompt: str | None = Field(None, description="What not to see in them.")
    width: int | None = Field(None, description="Pixels. Together with height, instead of aspect_ratio.")
    height: int | None = Field(None, description="Pixels. Together with width, instead of aspect_ratio.")
    aspect_ratio: str | None = Field(None, description="A named size of the model, instead of pixels.")
    num_inference_steps: int | None = Field(None, description="Denoising steps: more are finer and slower.")
    guidance_scale: float | None = Field(None, description="How closely the images follow the prompt.")
    num_outputs: int | None = Field(
        None, description="How many images; by default no more than the plan allows."
    )
    seed: int | None = Field(None, description="Makes the same images again; chosen when absent.")
    format: str | None = Field(None, description="File format of the images.")
    quality: int | None = Field(None, description="Compression quality; has no meaning for png.")


class PageQuery(Wire):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Items on the page, at most.")
    cursor: str | None = Field(None, min_length=1, max_length=512, description="`cursor` of the page before.")


class GenerationsQuery(PageQuery):
    status: Status | None = Field(None, description="Only generations in this state.")
    model: str | None = Field(None, description="Only generations of this model.")


class GenerationParams(Wire):
    """Everything that decides the images, defaults filled in; null where the model takes no such thing."""

    prompt: str
    negative_prompt: str | None = None
    width: int
    height: int
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    num_outputs: int
    seed: int | None = None
    format: str | None = None
    quality: int | None = None


class GenerationCredits(Wire):
    """charged + refunded == estimated once the generation has ended; until then all of it is held."""

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


class Failure(Wire):
    """Why there are no images: a stable code, and a sentence in the language of Accept-Language."""

    code: str
    message: str


class Generation(Wire):
    id: str
    status: Status
    model: str
    params: GenerationParams
    credits: GenerationCredits
    cancel_requested: bool = Field(
        description="A cancel was asked for and passed on; images that are done first are kept and charged."
    )
    created_at: Time
    updated_at: Time
    started_at: Time | None
    completed_at: Time | None
    poll_after_s: int | None = Field(description="Ask again after so many seconds; null once it has ended.")
    outputs: list[Output]
    error: Failure | None


class GenerationPage(Wire):
    """Newest first."""

    items: list[Generation]
    cursor: str | None = Field(description="Opaque; null on the last page.")


class PlanLimits(Wire):
    jobs_at_once: int
    jobs_waiting: int
    images_per_request: int
    images_per_day: int
    free_cancels_per_day: int


class Plan(Wire):
    """`credits` come every month when `monthly`, else once."""

    id: str
    name: str
    credits: int
    monthly: bool
    limits: PlanLimits


class Credits(Wire):
    """Whole credits: free to use, held for generations under way, spent on delivered images."""

    available: int
    held: int
    spent: int


class Grant(Wire):
    """Credits that came together and lapse together; never, when `expires_at` is null."""

    id: str
    source: Literal["plan", "pack", "promotion", "operator"]
    remaining: int
    granted_at: Time
    expires_at: Time | None


class OfToday(Wire):
    """What a day allows, and how much of it was used since midnight UTC."""

    used: int
    limit: int
    resets_at: Time


class Account(Wire):
    plan: Plan
    credits: Credits
    grants: list[Grant] = Field(description="Those with credits left.")
    running: int
    waiting: int
    images_today: OfToday = Field(description="Images asked for, less those that were not delivered.")
    cancels_today: OfToday = Field(
        description="Cancels of what was already being made: free up to the limit, charged beyond it."
    )
    created_at: Time


class LedgerEntry(Wire):
    """`credits` is signed; `balance` is available + held after the entry; `cause` names a job or a grant."""

    number: int
    kind: Literal["grant", "capture", "expire", "adjust", "void"]
    credits: int
    balance: int
    cause: str
    price_version: str | None
    created_at: Time


class LedgerPage(Wire):
    """Newest first."""

    items: list[LedgerEntry]
    cursor: str | None = Field(description="Opaque; null on the last page.")


class Size(Wire):
    width: int
    height: int


class PixelRange(Wire):
    """Any multiple of `step` from `minimum` to `maximum`, for width and for height."""

    minimum: int
    maximum: int
    step: int


class Sizes(Wire):
    """By name for every model; `pixels` is null where a model makes the named sizes only."""

    default: Size
    aspect_ratios: dict[str, Size]
    pixels: PixelRange | None


class Licence(Wire):
    name: str
    note: str


class Parameter(Wire):
    """How a model takes one field of a request; what does not apply is null."""

    type: Literal["string", "integer", "number"]
    required: bool
    default: int | float | str | None = Field(description="Null: none, or chosen for you (seed).")
    minimum: int | float | None
    maximum: int | float | None
    allowed: list[str] | None
    min_length: int | None
    max_length: int | None


class CatalogModel(Wire):
    """`reproducible`: the same parameters and seed make the same images again."""

    id: str
    name: str
    description: str
    licence: Licence
    reproducible: bool
    credits_per_image: int
    sizes: Sizes
    parameters: dict[str, Parameter]


class Catalog(Wire):
    """`price_version` is written on every ledger entry that a price decided."""

    price_version: str
    models: list[CatalogModel]
    plans: list[Plan]


class Health(Wire):
    status: Literal["ok"]
    version: str


class InvalidParam(Wire):
    """One field, query parameter or header that was not accepted."""

    name: str
    code: str
    reason: str


class Problem(Wire):
    """RFC 9457. `code` is stable; `title`, `detail` and `reason` follow Accept-Language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    invalid_params: list[InvalidParam]
    request_id: str = Field(description="Quote it when you report a problem.")


class GatewayRefusal(Wire):
    """What API Gateway answers by itself: a bad token (401), too many requests (429)."""

    message: str
