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
    403: {"en": "Not allowed", "pt-BR": "Não permitido"},
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
    "prompt_refused": {
        "en": "We do not make images of this. Nothing was charged; change the text and try again.",
        "pt-BR": "Não criamos imagens disso. Nada foi cobrado; mude o texto e tente de novo.",
    },
    "account_suspended": {
        "en": "Too much of what you asked for was refused. You can go on at {until}; if you think that this is a mistake, write to us.",
        "pt-BR": "Muito do que você pediu foi recusado. Você poderá continuar a partir de {until}; se achar que foi um engano, fale conosco.",
    },
    "nothing_to_appeal": {
        "en": "No image of this generation was blocked.",
        "pt-BR": "Nenhuma imagem desta geração foi bloqueada.",
    },
    "appeal_too_late": {
        "en": "The blocked images are no longer kept, so nobody could look at them again.",
        "pt-BR": "As imagens bloqueadas não são mais guardadas, então ninguém poderia revê-las.",
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
    "plan_without_models": {
        "en": "Your plan has no models of your own. Change your plan to train one.",
        "pt-BR": "O seu plano não inclui modelos próprios. Mude de plano para treinar um.",
    },
    "plan_without_trainings": {
        "en": "Your plan has no trainings. Change your plan to train a model.",
        "pt-BR": "O seu plano não inclui treinamentos. Mude de plano para treinar um modelo.",
    },
    "too_many_trainings": {
        "en": "Your plan runs {limit} trainings at once. Wait for one to end.",
        "pt-BR": "O seu plano executa {limit} treinamentos ao mesmo tempo. Espere um terminar.",
    },
    "too_many_models": {
        "en": "Your plan keeps {limit} models. Delete one, or change your plan.",
        "pt-BR": "O seu plano guarda {limit} modelos. Exclua um ou mude de plano.",
    },
    "too_many_photos": {
        "en": "A model takes {limit} photos; there is room for {left} more.",
        "pt-BR": "Um modelo aceita {limit} fotos; cabem mais {left}.",
    },
    "too_many_rejected_photos": {
        "en": "This model remembers {limit} photos, rejected ones included. Delete some of those.",
        "pt-BR": "Este modelo guarda {limit} fotos, incluindo as recusadas. Exclua algumas delas.",
    },
    "too_few_photos": {
        "en": "{accepted} photos were accepted; a training needs {needed}.",
        "pt-BR": "{accepted} fotos foram aceitas; um treinamento precisa de {needed}.",
    },
    "photo_not_accepted": {
        "en": "The photo was not accepted ({state}), so it has nothing to correct.",
        "pt-BR": "A foto não foi aceita ({state}), então não há o que corrigir.",
    },
    "model_untrained": {
        "en": "This model has not been trained yet. Train it first, then make images with it.",
        "pt-BR": "Este modelo ainda não foi treinado. Treine-o primeiro e depois gere imagens com ele.",
    },
    "model_deleting": {
        "en": "This model is being deleted.",
        "pt-BR": "Este modelo está sendo excluído.",
    },
    "training_ended": {
        "en": "The training has already ended ({state}).",
        "pt-BR": "O treinamento já terminou ({state}).",
    },
    "training_saving": {
        "en": "The trained version is already being recorded; this training can no longer be canceled.",
        "pt-BR": "A versão treinada já está sendo registrada; este treinamento não pode mais ser cancelado.",
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
    "fine_tune_gone": {
        "en": "This version can no longer be run. Train the model again.",
        "pt-BR": "Esta versão não pode mais ser usada. Treine o modelo de novo.",
    },
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
    "must_be_list": {"en": "must be a list", "pt-BR": "deve ser uma lista"},
    "must_be_object": {"en": "must be an object", "pt-BR": "deve ser um objeto"},
    "number_of_entries": {
        "en": "must have from {minimum} to {maximum} entries",
        "pt-BR": "deve ter de {minimum} a {maximum} itens",
    },
    "must_be_accepted": {
        "en": "must be true: without this consent no model is made",
        "pt-BR": "deve ser true: sem este consentimento nenhum modelo é criado",
    },
    "class_word_form": {
        "en": "must be one to three words of letters, with at most {maximum} characters",
        "pt-BR": "deve ter de uma a três palavras de letras, com no máximo {maximum} caracteres",
    },
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
    "trigger_word_form": {
        "en": "must be {minimum} to {maximum} letters and digits without accents, at least one of them a letter",
        "pt-BR": "deve ter de {minimum} a {maximum} letras e números sem acento, com ao menos uma letra",
    },
    "trigger_word_common": {
        "en": "must mean nothing: {word} is a word that prompts use",
        "pt-BR": "não pode ter significado: {word} é uma palavra usada em prompts",
    },
    "trigger_word_taken": {
        "en": "is already the word of another of your models: {word}",
        "pt-BR": "já é a palavra de outro modelo seu: {word}",
    },
    "refused_sexual": {
        "en": "asks for nudity or sexual content, which we do not make (rule {rule})",
        "pt-BR": "pede nudez ou conteúdo sexual, que não criamos (regra {rule})",
    },
    "refused_minors": {
        "en": "names a child or teenager where we show none: in sexual content, or with a personal model (rule {rule})",
        "pt-BR": "menciona criança ou adolescente onde isso não é permitido: em conteúdo sexual ou com um modelo pessoal (regra {rule})",
    },
    "refused_violence": {
        "en": "asks for cruelty or graphic violence, which we do not make (rule {rule})",
        "pt-BR": "pede crueldade ou violência explícita, que não criamos (regra {rule})",
    },
    "refused_hate": {
        "en": "demeans people for what they are, or glorifies those who do (rule {rule})",
        "pt-BR": "humilha pessoas pelo que elas são ou exalta quem faz isso (regra {rule})",
    },
    "refused_self_harm": {
        "en": "shows suicide or self-harm (rule {rule}). If you are going through a hard time, talk to someone: in Brazil, CVV listens at 188, free, day and night",
        "pt-BR": "mostra suicídio ou automutilação (regra {rule}). Se você está passando por um momento difícil, converse com alguém: o CVV atende pelo 188, de graça, dia e noite",
    },
    "refused_public_person": {
        "en": "names a public person, whom a personal model must not show (rule {rule})",
        "pt-BR": "cita uma pessoa pública, que um modelo pessoal não pode mostrar (regra {rule})",
    },
    "invalid": {"en": "is not valid", "pt-BR": "não é válido"},
}

# Why a generation ended that was charged all the same, beyond what is free in a day.
CHARGED_FAILURES: dict[str, dict[Language, str]] = {
    "moderated": {
        "en": "The images were held back by the safety check. Those that are free in a day are used up, so that these were charged; try another prompt.",
        "pt-BR": "As imagens foram retidas pela verificação de segurança. As gratuitas do dia acabaram, por isso estas foram cobradas; tente outro prompt.",
    },
}

# Why a judge refused the prompt of a generation, where that takes more than to say so.
PROMPT_FAILURES: dict[str, dict[Language, str]] = {
    "self_harm": {
        "en": "We do not make images of suicide or self-harm. If you are going through a hard time, talk to someone: in Brazil, CVV listens at 188, free, day and night. You were not charged.",
        "pt-BR": "Não criamos imagens de suicídio ou automutilação. Se você está passando por um momento difícil, converse com alguém: o CVV atende pelo 188, de graça, dia e noite. Você não foi cobrado.",
    },
}

# Why an image is not shown: the judge's category.
BLOCKS: dict[str, dict[Language, str]] = {
    "sexual": {"en": "sexual content", "pt-BR": "conteúdo sexual"},
    "nudity": {"en": "nudity", "pt-BR": "nudez"},
    "minors": {"en": "somebody who may be a minor", "pt-BR": "alguém que pode ser menor de idade"},
    "violence": {"en": "graphic violence", "pt-BR": "violência explícita"},
    "hate": {"en": "symbols of hate", "pt-BR": "símbolos de ódio"},
    "self_harm": {
        "en": "self-harm. If you are going through a hard time, talk to someone: in Brazil, CVV listens at 188, free, day and night",
        "pt-BR": "automutilação. Se você está passando por um momento difícil, converse com alguém: o CVV atende pelo 188, de graça, dia e noite",
    },
    "drugs": {"en": "drugs", "pt-BR": "drogas"},
    "other": {
        "en": "something our safety check does not let pass",
        "pt-BR": "algo que a nossa verificação de segurança não deixa passar",
    },
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
    "prompt_moderated": {
        "en": "We do not make images of this. You were not charged; change the prompt and try again.",
        "pt-BR": "Não criamos imagens disso. Você não foi cobrado; mude o prompt e tente de novo.",
    },
    "judge_unavailable": {
        "en": "Our safety check did not answer, and nothing is shown without it. You were not charged; try again later.",
        "pt-BR": "A nossa verificação de segurança não respondeu, e nada é mostrado sem ela. Você não foi cobrado; tente de novo mais tarde.",
    },
    "model_closed": {
        "en": "The model was deleted, or the consent for it was withdrawn, before the images were done. You were not charged.",
        "pt-BR": "O modelo foi excluído, ou o consentimento foi retirado, antes de as imagens ficarem prontas. Você não foi cobrado.",
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


# What a training photo, or a set of them, would be better for: verdicts, notes, and what a report finds missing.
STEPS: dict[str, dict[Language, str]] = {
    "upload_photos": {
        "en": "Upload 10 to 20 photos of one person: close-ups and half-body, in different light and clothes.",
        "pt-BR": "Envie de 10 a 20 fotos de uma só pessoa: de perto e de meio corpo, com luz e roupas variadas.",
    },
    "wait_for_checks": {
        "en": "Your photos are being checked. This takes some seconds each.",
        "pt-BR": "Suas fotos estão sendo verificadas. Leva alguns segundos por foto.",
    },
    "add_photos": {
        "en": "Add more photos: see the report for what is missing.",
        "pt-BR": "Adicione mais fotos: veja no relatório o que falta.",
    },
    "train": {
        "en": "Your photos are ready. Look at the advice and start the training.",
        "pt-BR": "Suas fotos estão prontas. Veja a recomendação e comece o treinamento.",
    },
    "wait_for_training": {
        "en": "Your model is being trained. You can leave; it goes on by itself.",
        "pt-BR": "Seu modelo está sendo treinado. Você pode sair; ele continua sozinho.",
    },
    "train_again": {
        "en": "The last training failed and cost nothing. See why, then train again.",
        "pt-BR": "O último treinamento falhou e não custou nada. Veja o motivo e treine de novo.",
    },
    "generate": {
        "en": "Your model is ready: make images with it.",
        "pt-BR": "Seu modelo está pronto: gere imagens com ele.",
    },
    "wait_for_deletion": {
        "en": "Your model and its photos are being deleted.",
        "pt-BR": "Seu modelo e as fotos dele estão sendo excluídos.",
    },
}

PHOTOS: dict[str, dict[Language, str]] = {
    "not_an_image": {
        "en": "This file is not a picture. Pick a photo from your gallery.",
        "pt-BR": "Este arquivo não é uma imagem. Escolha uma foto da sua galeria.",
    },
    "unsupported_format": {
        "en": "We cannot read this kind of file. Send the photo as JPEG, PNG, WebP or HEIC.",
        "pt-BR": "Não conseguimos ler este tipo de arquivo. Envie a foto em JPEG, PNG, WebP ou HEIC.",
    },
    "animated": {
        "en": "This picture moves. Send a single, still photo.",
        "pt-BR": "Esta imagem se mexe. Envie uma única foto, parada.",
    },
    "too_large": {
        "en": "This file has more than {maximum} MB. Export the photo in a smaller size and send it again.",
        "pt-BR": "Este arquivo tem mais de {maximum} MB. Exporte a foto em um tamanho menor e envie de novo.",
    },
    "too_many_pixels": {
        "en": "This photo has more than {maximum} megapixels. Export it in a smaller size and send it again.",
        "pt-BR": "Esta foto tem mais de {maximum} megapixels. Exporte em um tamanho menor e envie de novo.",
    },
    "broken": {
        "en": "This photo arrived damaged. Send it once more, straight from where you keep it.",
        "pt-BR": "Esta foto chegou danificada. Envie mais uma vez, direto de onde você a guarda.",
    },
    "too_small": {
        "en": "This photo has only {width} x {height} pixels. Send the original, with at least {minimum} on each side.",
        "pt-BR": "Esta foto tem só {width} x {height} pixels. Envie a original, com pelo menos {minimum} em cada lado.",
    },
    "blurry": {
        "en": "This photo came out blurry. Hold the camera steady, tap on the face to focus, and try again.",
        "pt-BR": "Esta foto ficou tremida ou fora de foco. Segure firme a câmera, toque no rosto para focar e tente de novo.",
    },
    "too_dark": {
        "en": "It is too dark to see you well. Stand facing a window or a lamp and take another one.",
        "pt-BR": "Está escuro demais para ver você bem. Fique de frente para uma janela ou luz e tire outra.",
    },
    "too_bright": {
        "en": "There is so much light that details got lost. Step out of the direct light and take another one.",
        "pt-BR": "Tem tanta luz que os detalhes se perderam. Saia da luz direta e tire outra.",
    },
    "near_duplicate": {
        "en": "You already sent almost the same photo. Change the place, the angle or your clothes: variety helps most.",
        "pt-BR": "Você já enviou uma foto quase igual. Mude o lugar, o ângulo ou a roupa: variedade é o que mais ajuda.",
    },
    "no_face": {
        "en": "We could not find your face. Look towards the camera, with your whole face in the picture.",
        "pt-BR": "Não encontramos o seu rosto. Olhe para a câmera, com o rosto inteiro na foto.",
    },
    "several_faces": {
        "en": "There are {count} people in this photo. Send one where you are alone, or crop the others out.",
        "pt-BR": "Há {count} pessoas nesta foto. Envie uma em que você apareça sem mais ninguém ou corte os outros.",
    },
    "face_too_small": {
        "en": "Your face is too small here. Come closer, or crop the photo around you.",
        "pt-BR": "O seu rosto está pequeno demais aqui. Chegue mais perto ou corte a foto em volta de você.",
    },
    "public_person": {
        "en": "This looks like a public person, whom we do not train models of. Send photos of yourself.",
        "pt-BR": "Parece ser uma pessoa pública, de quem não treinamos modelos. Envie fotos suas.",
    },
    "minor": {
        "en": "We only work with photos of adults, and somebody here may be under 18. Send another photo.",
        "pt-BR": "Só trabalhamos com fotos de adultos, e alguém aqui pode ter menos de 18 anos. Envie outra foto.",
    },
    "face_covered": {
        "en": "Something covers your face. Take away hands, masks and hair, and try again.",
        "pt-BR": "Algo está cobrindo o seu rosto. Tire mãos, máscara e cabelo da frente e tente de novo.",
    },
    "sunglasses": {
        "en": "Your sunglasses hide your eyes. Take them off for this one.",
        "pt-BR": "Os óculos escuros escondem os seus olhos. Tire os óculos para esta foto.",
    },
    "declared_type_differs": {
        "en": "The file is not of the type its name says. We could read it all the same.",
        "pt-BR": "O arquivo não é do tipo que o nome diz. Conseguimos ler mesmo assim.",
    },
    "more_photos_needed": {
        "en": "Training takes at least {minimum} good photos. Still to add: {count}.",
        "pt-BR": "O treinamento precisa de pelo menos {minimum} fotos boas. Ainda faltam: {count}.",
    },
    "more_photos_recommended": {
        "en": "You can train now. With {recommended} photos it will look more like you; still to add: {count}.",
        "pt-BR": "Você já pode treinar. Com {recommended} fotos vai ficar mais parecido com você; ainda faltam: {count}.",
    },
    "more_close_ups": {
        "en": "Add close-ups, with your face filling a third of the picture. Still to add: {count}.",
        "pt-BR": "Adicione fotos de perto, com o rosto ocupando um terço da imagem. Ainda faltam: {count}.",
    },
    "more_half_body": {
        "en": "Add photos from the waist up. Still to add: {count}.",
        "pt-BR": "Adicione fotos da cintura para cima. Ainda faltam: {count}.",
    },
    "more_full_body": {
        "en": "Add photos from head to toe. Still to add: {count}.",
        "pt-BR": "Adicione fotos de corpo inteiro. Ainda faltam: {count}.",
    },
    "same_light": {
        "en": "All your photos have the same light. Add some by a window, outdoors, or in the evening.",
        "pt-BR": "Todas as suas fotos têm a mesma luz. Adicione algumas perto da janela, ao ar livre ou à noite.",
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
