"""What people read: every stable code with its text in English and Brazilian Portuguese.

Texts are `str.format` templates over the arguments that the code's raiser gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Language = Literal["pt-BR", "en"]
LANGUAGES: tuple[Language, ...] = ("pt-BR", "en")

# What kind of answer an error is: HTTP status -> language -> text.
TITLES: dict[int, dict[Language, str]] = {
    400: {"en": "Malformed request", "pt-BR": "Requisição malformada"},
    401: {"en": "Not signed in", "pt-BR": "Não autenticado"},
    402: {"en": "Not enough credits", "pt-BR": "Créditos insuficientes"},
    404: {"en": "Not found", "pt-BR": "Não encontrado"},
    405: {"en": "Method not allowed", "pt-BR": "Método não permitido"},
    409: {"en": "Not possible now", "pt-BR": "Não é possível agora"},
    413: {"en": "Request too large", "pt-BR": "Requisição grande demais"},
    415: {"en": "Unsupported media type", "pt-BR": "Tipo de mídia não suportado"},
    422: {"en": "Invalid request", "pt-BR": "Requisição inválida"},
    429: {"en": "Limit reached", "pt-BR": "Limite atingido"},
    500: {"en": "Internal error", "pt-BR": "Erro interno"},
    503: {"en": "Temporarily unavailable", "pt-BR": "Temporariamente indisponível"},
}

# Errors of a request: code -> language -> text.
ERRORS: dict[str, dict[Language, str]] = {
    "malformed_json": {
        "en": "The request body is not a JSON object.",
        "pt-BR": "O corpo da requisição não é um objeto JSON.",
    },
    "invalid_request": {
        "en": "Some fields of the request were not accepted.",
        "pt-BR": "Alguns campos da requisição não foram aceitos.",
    },
    "request_too_large": {
        "en": "The request body is larger than {maximum} bytes.",
        "pt-BR": "O corpo da requisição tem mais de {maximum} bytes.",
    },
    "unsupported_media_type": {
        "en": "Send the request body as application/json.",
        "pt-BR": "Envie o corpo da requisição como application/json.",
    },
    "unauthorized": {
        "en": "Sign in and send your access token.",
        "pt-BR": "Entre na sua conta e envie o seu token de acesso.",
    },
    "insufficient_credits": {
        "en": "This costs {required} credits and you have {available}.",
        "pt-BR": "Isto custa {required} créditos e você tem {available}.",
    },
    "not_found": {
        "en": "There is no such thing here.",
        "pt-BR": "Não encontramos o que você pediu.",
    },
    "method_not_allowed": {
        "en": "This address does not take this method.",
        "pt-BR": "Este endereço não aceita este método.",
    },
    "generation_running": {
        "en": "The generation is still running. Cancel it first, or wait for its end.",
        "pt-BR": "A geração ainda está em andamento. Cancele-a antes ou espere que termine.",
    },
    "generation_ended": {
        "en": "The generation has already ended ({state}).",
        "pt-BR": "A geração já terminou ({state}).",
    },
    "generation_saving": {
        "en": "The images are already being saved; this generation can no longer be canceled.",
        "pt-BR": "As imagens já estão sendo salvas; esta geração não pode mais ser cancelada.",
    },
    "model_resting": {
        "en": "{model} is away at the moment. Try again in {minutes} min, or use {alternatives}.",
        "pt-BR": "O modelo {model} está indisponível no momento. "
        "Tente de novo em {minutes} min ou use {alternatives}.",
    },
    "all_models_resting": {
        "en": "{model} is away at the moment, and so are the others. Try again in {minutes} min.",
        "pt-BR": "O modelo {model} está indisponível no momento, e os outros também. "
        "Tente de novo em {minutes} min.",
    },
    "write_conflict": {
        "en": "Too many requests changed the same account at once. Send this one again.",
        "pt-BR": "Muitas requisições alteraram a mesma conta ao mesmo tempo. Envie esta de novo.",
    },
    "idempotency_key_reused": {
        "en": "This Idempotency-Key was used with another request.",
        "pt-BR": "Esta Idempotency-Key já foi usada com outra requisição.",
    },
    "daily_limit_reached": {
        "en": "Your plan allows {limit} images per day.",
        "pt-BR": "O seu plano permite {limit} imagens por dia.",
    },
    "too_many_jobs": {
        "en": "Your plan runs {running} generations at once and keeps {waiting} waiting. Wait for one to end.",
        "pt-BR": "O seu plano executa {running} gerações ao mesmo tempo e mantém {waiting} na fila. "
        "Espere uma terminar.",
    },
    "internal_error": {
        "en": "Something went wrong on our side. Nothing was charged; try again.",
        "pt-BR": "Algo deu errado do nosso lado. Nada foi cobrado; tente de novo.",
    },
    "temporarily_unavailable": {
        "en": "The service cannot answer right now. Try again in a moment.",
        "pt-BR": "O serviço não pode responder agora. Tente de novo em instantes.",
    },
}

# What is wrong with one field.
PARAMS: dict[str, dict[Language, str]] = {
    "required": {"en": "is required", "pt-BR": "é obrigatório"},
    "unknown_field": {
        "en": "is not a field of this request; it takes {allowed}",
        "pt-BR": "não é um campo desta requisição; ela aceita {allowed}",
    },
    "not_taken": {
        "en": "is not taken by {model}; it takes {allowed}",
        "pt-BR": "não é aceito por {model}; ele aceita {allowed}",
    },
    "must_be_integer": {"en": "must be a whole number", "pt-BR": "deve ser um número inteiro"},
    "must_be_number": {"en": "must be a number", "pt-BR": "deve ser um número"},
    "must_be_boolean": {"en": "must be true or false", "pt-BR": "deve ser verdadeiro ou falso"},
    "must_be_string": {"en": "must be text", "pt-BR": "deve ser um texto"},
    "must_not_be_empty": {"en": "must not be empty", "pt-BR": "não pode ser vazio"},
    "too_long": {
        "en": "must have at most {maximum} characters",
        "pt-BR": "deve ter no máximo {maximum} caracteres",
    },
    "control_characters": {
        "en": "must not contain control characters",
        "pt-BR": "não pode conter caracteres de controle",
    },
    "out_of_range": {
        "en": "must be from {minimum} to {maximum}",
        "pt-BR": "deve estar entre {minimum} e {maximum}",
    },
    "out_of_range_step": {
        "en": "must be a multiple of {step} from {minimum} to {maximum}",
        "pt-BR": "deve ser um múltiplo de {step} entre {minimum} e {maximum}",
    },
    "not_one_of": {"en": "must be one of: {allowed}", "pt-BR": "deve ser um destes: {allowed}"},
    "size_or_ratio": {
        "en": "cannot be given together with aspect_ratio",
        "pt-BR": "não pode ser enviado junto com aspect_ratio",
    },
    "size_not_one_of": {
        "en": "width x height must be one of: {allowed}",
        "pt-BR": "width x height deve ser um destes: {allowed}",
    },
    "plan_allows": {
        "en": "is at most {maximum} on your plan",
        "pt-BR": "é no máximo {maximum} no seu plano",
    },
    "lossless_format": {
        "en": "has no meaning for png, which is lossless",
        "pt-BR": "não se aplica a png, que não tem perdas",
    },
    "not_visible_ascii": {
        "en": "must be 1 to 255 visible ASCII characters",
        "pt-BR": "deve ter de 1 a 255 caracteres ASCII visíveis",
    },
    "invalid": {"en": "is not valid", "pt-BR": "não é válido"},
}

# Why a generation ended without images. Each says that nothing was charged.
FAILURES: dict[str, dict[Language, str]] = {
    "provider_failed": {
        "en": "The model failed to make the images. You were not charged; try again.",
        "pt-BR": "O modelo não conseguiu gerar as imagens. Você não foi cobrado; tente de novo.",
    },
    "provider_rejected": {
        "en": "The model did not accept these settings. You were not charged.",
        "pt-BR": "O modelo não aceitou estas configurações. Você não foi cobrado.",
    },
    "provider_unknown": {
        "en": "We could not learn what became of this generation. You were not charged; try again.",
        "pt-BR": "Não conseguimos saber o que houve com esta geração. Você não foi cobrado; tente de novo.",
    },
    "model_unavailable": {
        "en": "The model is not available right now. You were not charged; try another model or come back later.",
        "pt-BR": "O modelo não está disponível agora. Você não foi cobrado; tente outro modelo ou volte mais tarde.",
    },
    "moderated": {
        "en": "The images were held back by the safety check. You were not charged; try another prompt.",
        "pt-BR": "As imagens foram retidas pela verificação de segurança. Você não foi cobrado; "
        "tente outro prompt.",
    },
    "timeout": {
        "en": "The images took too long. You were not charged; try again.",
        "pt-BR": "As imagens demoraram demais. Você não foi cobrado; tente de novo.",
    },
    "queue_timeout": {
        "en": "The generation waited for a whole day without a free place. You were not charged.",
        "pt-BR": "A geração esperou um dia inteiro sem vaga. Você não foi cobrado.",
    },
    "outputs_missing": {
        "en": "The model said it was done, but its images could not be used. You were not charged; try again.",
        "pt-BR": "O modelo terminou, mas as imagens não puderam ser usadas. Você não foi cobrado; tente de novo.",
    },
}


def language_of(accept_language: str | None) -> Language:
    """Return the language the client prefers; English when it names neither of ours.

    Portuguese of any country is answered in Brazilian Portuguese.
    """
    best: tuple[float, Language] = (0.0, "en")
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        try:
            weight = float(parameters.strip().removeprefix("q=")) if parameters.strip() else 1.0
        except ValueError:
            continue
        primary = tag.strip().lower().partition("-")[0]
        language: Language | None = {"pt": "pt-BR", "en": "en"}.get(primary)  # type: ignore[assignment]  # literals
        if language and weight > best[0]:
            best = (weight, language)
    return best[1]


def text(
    catalog: Mapping[str, Mapping[Language, str]],
    code: str,
    language: Language,
    args: Mapping[str, Any] | None = None,
) -> str:
    return catalog[code][language].format_map(args or {})
