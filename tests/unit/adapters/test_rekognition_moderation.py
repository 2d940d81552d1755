"""What Rekognition's moderation labels become; AWS's own model of the service checks both sides' shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from revela.adapters.gates_off import NoImageJudge
from revela.adapters.rekognition_moderation import CATEGORIES, COST_MICRO_USD, RekognitionImageJudge
from revela.domain.errors import JudgeUnavailable, TicketVoid
from revela.domain.harm_severity import MOST_SEVERE_FIRST
from revela.domain.judgement import HARM_CATEGORIES, HarmCategory, Judgement, Ticket

JPEG = b"\xff\xd8\xff a rendering"

# Each label with those above it, as the service finds them together.
EXPLICIT = ("Explicit",)
NUDITY = (*EXPLICIT, "Explicit Nudity")
NON_EXPLICIT = ("Non-Explicit Nudity of Intimate parts and Kissing",)
PARTLY_NUDE = (*NON_EXPLICIT, "Non-Explicit Nudity")
OBSTRUCTED = (*NON_EXPLICIT, "Obstructed Intimate Parts")
UNDERWEAR = ("Swimwear or Underwear",)
VIOLENCE = ("Violence",)
GRAPHIC = (*VIOLENCE, "Graphic Violence")
DISTURBING = ("Visually Disturbing",)
DEATH = (*DISTURBING, "Death and Emaciation")
DRUGS = ("Drugs & Tobacco",)
USE = (*DRUGS, "Drugs & Tobacco Paraphernalia & Use")
ALCOHOL = ("Alcohol",)
HATE = ("Hate Symbols",)


class Service:
    def __init__(self) -> None:
        client = boto3.client(
            "rekognition",
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.stub = Stubber(client)
        self.client = client
        self.judge = RekognitionImageJudge(client)

    def finds(self, *paths: tuple[str, ...], jpeg: bytes = JPEG, min_confidence: float = 60.0) -> None:
        labels = {label["Name"]: label for path in paths for label in labels_of(path)}
        self.stub.add_response(
            "detect_moderation_labels",
            {"ModerationLabels": list(labels.values()), "ModerationModelVersion": "7.0"},
            {"Image": {"Bytes": jpeg}, "MinConfidence": min_confidence},
        )

    def category(self, *paths: tuple[str, ...]) -> HarmCategory | None:
        self.finds(*paths)
        (said,) = self.judge.ask([JPEG])
        assert isinstance(said, Judgement)
        return said.category


def labels_of(path: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"Name": name, "ParentName": parent, "Confidence": 91.5, "TaxonomyLevel": level}
        for level, (name, parent) in enumerate(zip(path, ("", *path), strict=False), start=1)
    ]


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with service.stub:
        yield service
    service.stub.assert_no_pending_responses()


def test_images_in_which_nothing_is_found_are_allowed_and_paid_for(service: Service) -> None:
    service.finds(jpeg=b"first")
    service.finds(jpeg=b"second")

    assert service.judge.ask([b"first", b"second"]) == [Judgement(cost_micro_usd=COST_MICRO_USD)] * 2


def test_judgements_are_in_the_order_of_the_images(service: Service) -> None:
    service.finds(NUDITY, jpeg=b"first")
    service.finds(jpeg=b"second")
    service.finds(HATE, jpeg=b"third")

    said = service.judge.ask([b"first", b"second", b"third"])

    assert [j.category for j in said if isinstance(j, Judgement)] == ["nudity", None, "hate"]


def test_no_images_cost_nothing(service: Service) -> None:
    assert service.judge.ask([]) == []


def test_how_sure_the_service_must_be_can_be_chosen(service: Service) -> None:
    service.finds(min_confidence=75.0)

    assert RekognitionImageJudge(service.client, 75.0).ask([JPEG]) == [
        Judgement(cost_micro_usd=COST_MICRO_USD)
    ]


BLOCKED: list[tuple[tuple[str, ...], HarmCategory]] = [
    (EXPLICIT, "sexual"),
    ((*EXPLICIT, "Explicit Sexual Activity"), "sexual"),
    ((*EXPLICIT, "Sex Toys"), "sexual"),
    (NUDITY, "nudity"),
    ((*NUDITY, "Exposed Male Genitalia"), "nudity"),
    ((*NUDITY, "Exposed Female Genitalia"), "nudity"),
    ((*NUDITY, "Exposed Buttocks or Anus"), "nudity"),
    ((*NUDITY, "Exposed Female Nipple"), "nudity"),
    ((*PARTLY_NUDE, "Implied Nudity"), "nudity"),
    (VIOLENCE, "violence"),
    (GRAPHIC, "violence"),
    ((*GRAPHIC, "Weapon Violence"), "violence"),
    ((*GRAPHIC, "Physical Violence"), "violence"),
    ((*GRAPHIC, "Blood & Gore"), "violence"),
    ((*GRAPHIC, "Self-Harm"), "self_harm"),
    (DISTURBING, "violence"),
    (DEATH, "violence"),
    ((*DEATH, "Corpses"), "violence"),
    ((*DEATH, "Emaciated Bodies"), "self_harm"),
    (DRUGS, "drugs"),
    (USE, "drugs"),
    (HATE, "hate"),
    ((*HATE, "Nazi Party"), "hate"),
    ((*HATE, "White Supremacy"), "hate"),
    ((*HATE, "Extremist"), "hate"),
]
ALLOWED: list[tuple[str, ...]] = [
    NON_EXPLICIT,
    PARTLY_NUDE,
    (*PARTLY_NUDE, "Bare Back"),
    (*PARTLY_NUDE, "Exposed Male Nipple"),
    (*PARTLY_NUDE, "Partially Exposed Buttocks"),
    (*PARTLY_NUDE, "Partially Exposed Female Breast"),
    OBSTRUCTED,
    (*OBSTRUCTED, "Obstructed Female Nipple"),
    (*OBSTRUCTED, "Obstructed Male Genitalia"),
    (*NON_EXPLICIT, "Kissing on the Lips"),
    UNDERWEAR,
    (*UNDERWEAR, "Female Swimwear or Underwear"),
    (*UNDERWEAR, "Male Swimwear or Underwear"),
    (*VIOLENCE, "Weapons"),
    (*GRAPHIC, "Explosions and Blasts"),
    (*DISTURBING, "Crashes"),
    (*DISTURBING, "Crashes", "Air Crash"),
    (*DRUGS, "Products"),
    (*DRUGS, "Products", "Pills"),
    (*USE, "Smoking"),
    ALCOHOL,
    (*ALCOHOL, "Alcohol Use"),
    (*ALCOHOL, "Alcohol Use", "Drinking"),
    (*ALCOHOL, "Alcoholic Beverages"),
    ("Rude Gestures",),
    ("Rude Gestures", "Middle Finger"),
    ("Gambling",),
]


@pytest.mark.parametrize(("found", "category"), BLOCKED)
def test_what_is_blocked(found: tuple[str, ...], category: HarmCategory, service: Service) -> None:
    assert service.category(found) == category


@pytest.mark.parametrize("found", ALLOWED)
def test_fashion_and_film_are_allowed(found: tuple[str, ...], service: Service) -> None:
    assert service.category(found) is None


def test_every_label_of_the_taxonomy_is_decided_on() -> None:
    assert {path[-1] for path, _ in BLOCKED} | {path[-1] for path in ALLOWED} == set(CATEGORIES)


@pytest.mark.parametrize(
    ("found", "category"),
    [
        ((*EXPLICIT, "Something new"), "sexual"),
        ((*NUDITY, "Something new"), "nudity"),
        ((*VIOLENCE, "Something new"), "violence"),
        ((*GRAPHIC, "Something new"), "violence"),
        ((*HATE, "Something new", "Something newer"), "hate"),
        ((*UNDERWEAR, "Something new"), None),
        (("Something new",), "other"),
        (("Something new", "Something newer"), "other"),
    ],
)
def test_a_label_that_aws_adds_is_what_it_lies_under(
    found: tuple[str, ...], category: HarmCategory | None, service: Service
) -> None:
    assert service.category(found) == category


@pytest.mark.parametrize(
    ("found", "category"),
    [
        ([(*EXPLICIT, "Sex Toys"), (*NUDITY, "Exposed Female Nipple")], "sexual"),
        ([(*GRAPHIC, "Blood & Gore"), (*NUDITY, "Exposed Female Nipple")], "nudity"),
        ([(*GRAPHIC, "Blood & Gore"), (*GRAPHIC, "Self-Harm")], "self_harm"),
        ([HATE, (*GRAPHIC, "Self-Harm")], "self_harm"),
        ([(*GRAPHIC, "Blood & Gore"), (*HATE, "Nazi Party")], "hate"),
        ([USE, (*GRAPHIC, "Weapon Violence")], "violence"),
        ([("Something new",), USE], "drugs"),
        ([(*VIOLENCE, "Weapons"), ("Something new",)], "other"),
        ([(*VIOLENCE, "Weapons"), (*UNDERWEAR, "Female Swimwear or Underwear")], None),
    ],
)
def test_of_several_the_most_severe_is_told(
    found: list[tuple[str, ...]], category: HarmCategory | None, service: Service
) -> None:
    assert service.category(*found) == category
    assert service.category(*found[::-1]) == category


def test_every_harm_has_its_place_in_the_order_of_severity() -> None:
    assert len(MOST_SEVERE_FIRST) == len(HARM_CATEGORIES)
    assert set(MOST_SEVERE_FIRST) == set(HARM_CATEGORIES)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("InternalServerError", 500),
        ("AccessDeniedException", 400),
        ("InvalidImageFormatException", 400),
        ("ImageTooLargeException", 400),
        ("InvalidParameterException", 400),
    ],
)
def test_nothing_passes_unseen(code: str, status: int, service: Service) -> None:
    service.stub.add_client_error(
        "detect_moderation_labels", code, service_message="of the picture", http_status_code=status
    )

    with pytest.raises(JudgeUnavailable) as raised:
        service.judge.ask([JPEG])

    assert str(raised.value) == f"rekognition: {code}"


def test_a_service_that_does_not_answer_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()

    def unreachable(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://rekognition")

    monkeypatch.setattr(service.client, "detect_moderation_labels", unreachable)

    with pytest.raises(JudgeUnavailable, match="ConnectTimeoutError"):
        service.judge.ask([JPEG])


def test_a_ticket_is_another_judges(service: Service) -> None:
    with pytest.raises(TicketVoid):
        service.judge.answer(Ticket(id="prediction0001"))


def test_a_judge_that_is_switched_off_allows_everything_at_no_cost() -> None:
    judge = NoImageJudge()

    assert judge.ask([JPEG, JPEG]) == [Judgement(), Judgement()]
    with pytest.raises(TicketVoid):
        judge.answer(Ticket(id="prediction0001"))
