"""The ImageJudge port over Amazon Rekognition's DetectModerationLabels. Unverified: tested against AWS's own
model of the service, never against the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from revela.adapters.questions_in_turn import ask_in_turn
from revela.domain.errors import JudgeUnavailable, TicketVoid
from revela.domain.harm_severity import most_severe
from revela.domain.judgement import HarmCategory, Judgement, Ticket

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_rekognition.type_defs import ModerationLabelTypeDef

# In percent; the service's own default is 50. What is blocked wrongly can be appealed, what passes wrongly is
# published: only the doubts that are no better than a coin's are left out.
MIN_CONFIDENCE = 60.0
# AWS's price list: an image of the first million a month.
COST_MICRO_USD = 1_000

# Version 7 of the taxonomy (developer guide, "Using the image and video moderation APIs"), whole. None:
# allowed, for fashion and film are made here. A label above others decides what none of these explains, and
# what AWS may add below it.
CATEGORIES: Mapping[str, HarmCategory | None] = {
    "Explicit": "sexual",
    "Explicit Nudity": "nudity",
    "Exposed Male Genitalia": "nudity",
    "Exposed Female Genitalia": "nudity",
    "Exposed Buttocks or Anus": "nudity",
    "Exposed Female Nipple": "nudity",
    "Explicit Sexual Activity": "sexual",
    "Sex Toys": "sexual",
    "Non-Explicit Nudity of Intimate parts and Kissing": None,
    "Non-Explicit Nudity": None,
    "Bare Back": None,
    "Exposed Male Nipple": None,
    "Partially Exposed Buttocks": None,
    "Partially Exposed Female Breast": None,
    # Somebody naked, whatever hides the rest: the prompt policy refuses to have that made.
    "Implied Nudity": "nudity",
    # Dressed, but tightly.
    "Obstructed Intimate Parts": None,
    "Obstructed Female Nipple": None,
    "Obstructed Male Genitalia": None,
    "Kissing on the Lips": None,
    "Swimwear or Underwear": None,
    "Female Swimwear or Underwear": None,
    "Male Swimwear or Underwear": None,
    "Violence": "violence",
    "Weapons": None,
    "Graphic Violence": "violence",
    "Weapon Violence": "violence",
    "Physical Violence": "violence",
    "Self-Harm": "self_harm",
    "Blood & Gore": "violence",
    # Flames and smoke; whoever is hurt by them is found as blood and gore.
    "Explosions and Blasts": None,
    "Visually Disturbing": "violence",
    "Death and Emaciation": "violence",
    # In pictures that people ask for, the praise of eating disorders, which the prompt policy counts so.
    "Emaciated Bodies": "self_harm",
    "Corpses": "violence",
    "Crashes": None,
    "Air Crash": None,
    # The taxonomy does not tell drugs from tobacco: what is found as products, pills or smoking passes.
    "Drugs & Tobacco": "drugs",
    "Products": None,
    "Pills": None,
    "Drugs & Tobacco Paraphernalia & Use": "drugs",
    "Smoking": None,
    "Alcohol": None,
    "Alcohol Use": None,
    "Drinking": None,
    "Alcoholic Beverages": None,
    "Rude Gestures": None,
    "Middle Finger": None,
    "Gambling": None,
    "Hate Symbols": "hate",
    "Nazi Party": "hate",
    "White Supremacy": "hate",
    "Extremist": "hate",
}


class RekognitionImageJudge:
    """Answers at once: there are no tickets."""

    def __init__(self, client: RekognitionClient, min_confidence: float = MIN_CONFIDENCE) -> None:
        self._client = client
        self._min_confidence = min_confidence

    def ask(self, jpegs: Sequence[bytes]) -> list[Judgement | Ticket | None]:
        return ask_in_turn(jpegs, self._judgement)

    def answer(self, ticket: Ticket) -> Judgement | Ticket:
        # Another judge's, from before this one was chosen.
        raise TicketVoid(ticket.id)

    def _judgement(self, jpeg: bytes) -> Judgement:
        try:
            answer = self._client.detect_moderation_labels(
                Image={"Bytes": jpeg}, MinConfidence=self._min_confidence
            )
        except ClientError as error:
            # A picture it does not take has not been judged either: nothing passes unseen.
            raise JudgeUnavailable(f"rekognition: {error.response['Error']['Code']}") from error
        except BotoCoreError as error:
            raise JudgeUnavailable(f"rekognition: {type(error).__name__}") from error
        return Judgement(category=_harm(answer["ModerationLabels"]), cost_micro_usd=COST_MICRO_USD)


def _harm(labels: Sequence[ModerationLabelTypeDef]) -> HarmCategory | None:
    # With a label come all those above it, which say less: weapons would else be violence.
    above = {label["Name"]: label.get("ParentName", "") for label in labels}
    return most_severe(_category(name, above) for name in above.keys() - above.values())


def _category(name: str, above: Mapping[str, str]) -> HarmCategory | None:
    while name and name not in CATEGORIES:
        name = above.get(name, "")
    # The service finds it worth moderating, and nothing more is known of it.
    return CATEGORIES.get(name, "other")
