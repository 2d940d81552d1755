from __future__ import annotations

import pytest

from revela.settings import BadSettings, Settings


def test_what_has_a_default_need_not_be_set() -> None:
    replicate = Settings({}).replicate

    assert replicate.api_base_url == "https://api.replicate.com/v1"
    assert replicate.output_origins == ("https://replicate.delivery",)
    assert (replicate.creates_per_minute, replicate.reads_per_minute) == (600, 3000)
    assert Settings({}).clock_offset_s == 0


def test_one_error_names_every_fault() -> None:
    settings = Settings(
        {
            "AI_PROVIDER": "fal",
            "REPLICATE_API_BASE_URL": "replicate.com",
            "REPLICATE_CREATES_PER_MINUTE": "0",
            "REPLICATE_READS_PER_MINUTE": "many",
        }
    )

    with pytest.raises(BadSettings) as raised:
        _ = settings.replicate

    for fault in ("AI_PROVIDER", "REPLICATE_API_BASE_URL", "CREATES_PER_MINUTE", "READS_PER_MINUTE"):
        assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("group", "variable"),
    [
        ("bucket", "BUCKET"),
        ("event_bus", "EVENT_BUS"),
        ("webhook_secret_id", "WEBHOOK_SECRET_ID"),
        ("replicate_token_secret_id", "REPLICATE_TOKEN_SECRET_ID"),
    ],
)
def test_what_has_no_default_is_missed_when_it_is_asked_for(group: str, variable: str) -> None:
    with pytest.raises(BadSettings, match=f"{variable} is not set"):
        getattr(Settings({}), group)


def test_an_empty_variable_counts_as_not_set() -> None:
    with pytest.raises(BadSettings, match="BUCKET is not set"):
        _ = Settings({"BUCKET": ""}).bucket


@pytest.mark.parametrize(
    ("text", "base"), [("none", None), ("https://api.example.com/", "https://api.example.com")]
)
def test_webhooks_go_to_a_public_base_or_nowhere(text: str, base: str | None) -> None:
    assert Settings({"REPLICATE_WEBHOOK_URL": text}).replicate.webhook_base_url == base


def test_origins_are_a_list() -> None:
    settings = Settings({"REPLICATE_OUTPUT_ORIGINS": "https://replicate.delivery, http://127.0.0.1:8400/"})

    assert settings.replicate.output_origins == ("https://replicate.delivery", "http://127.0.0.1:8400")


def test_faces_are_found_by_rekognition_where_nothing_else_is_said() -> None:
    assert Settings({}).face_inspector == "rekognition"
    assert Settings({"FACE_INSPECTOR": "opencv"}).face_inspector == "opencv"


def test_what_is_not_said_is_judged_by_rekognition_with_the_defaults_of_the_template() -> None:
    settings = Settings({})

    assert (settings.image_judge, settings.celebrity_gate) == ("rekognition", "rekognition")
    assert (settings.blocked_retention_days, settings.judge_patience_minutes) == (7, 24 * 60)
    assert settings.strikes_per_day == 10


@pytest.mark.parametrize(
    ("variable", "setting", "allowed"),
    [
        ("FACE_INSPECTOR", "face_inspector", ("rekognition", "opencv")),
        ("IMAGE_JUDGE", "image_judge", ("rekognition", "replicate", "off")),
        ("CELEBRITY_GATE", "celebrity_gate", ("rekognition", "off")),
    ],
)
def test_who_judges_is_one_of_those_that_there_are(
    variable: str, setting: str, allowed: tuple[str, ...]
) -> None:
    for name in allowed:
        assert getattr(Settings({variable: name}), setting) == name
    for unknown in ("eyes", "Rekognition", "OFF", "none", "false"):
        with pytest.raises(BadSettings, match=f"{variable}: must be one of {', '.join(allowed)}"):
            getattr(Settings({variable: unknown}), setting)


@pytest.mark.parametrize(
    ("variable", "setting", "least"),
    [
        ("BLOCKED_RETENTION_DAYS", "blocked_retention_days", 0),
        ("JUDGE_PATIENCE_MINUTES", "judge_patience_minutes", 0),
        ("STRIKES_PER_DAY", "strikes_per_day", 1),
    ],
)
def test_how_long_and_how_often_are_whole_numbers_with_a_least(
    variable: str, setting: str, least: int
) -> None:
    assert getattr(Settings({variable: str(least)}), setting) == least
    assert getattr(Settings({variable: "3"}), setting) == 3
    for text in (str(least - 1), "1.5", "a day"):
        with pytest.raises(BadSettings, match=variable):
            getattr(Settings({variable: text}), setting)


def test_a_gate_cannot_be_left_open_by_leaving_its_variable_empty() -> None:
    settings = Settings({"IMAGE_JUDGE": "", "CELEBRITY_GATE": "", "BLOCKED_RETENTION_DAYS": ""})

    assert (settings.image_judge, settings.celebrity_gate) == ("rekognition", "rekognition")
    assert settings.blocked_retention_days == 7
