"""What people read about trainings: why one failed and what to do, and why parameters are advised."""

from __future__ import annotations

from revela.domain.messages import Language

# Why a training ended without a version. Each says that nothing was charged.
TRAINING_FAILURES: dict[str, dict[Language, str]] = {
    "photos_moderated": {
        "en": "The trainer's safety check refused the photos. You were not charged.",
        "pt-BR": "A verificação de segurança do treinador recusou as fotos. Você não foi cobrado.",
    },
    "photos_unreadable": {
        "en": "The trainer could not read one of the photos. You were not charged.",
        "pt-BR": "O treinador não conseguiu ler uma das fotos. Você não foi cobrado.",
    },
    "photos_refused": {
        "en": "The provider did not take the photos. You were not charged; try with fewer or smaller photos.",
        "pt-BR": "O provedor não aceitou as fotos. Você não foi cobrado; tente com menos fotos ou menores.",
    },
    "photos_lost": {
        "en": "The photos did not reach the trainer. You were not charged.",
        "pt-BR": "As fotos não chegaram ao treinador. Você não foi cobrado.",
    },
    "provider_rejected": {
        "en": "The trainer did not accept these settings. You were not charged.",
        "pt-BR": "O treinador não aceitou estas configurações. Você não foi cobrado.",
    },
    "provider_failed": {
        "en": "The training broke off. You were not charged.",
        "pt-BR": "O treinamento foi interrompido. Você não foi cobrado.",
    },
    "provider_unknown": {
        "en": "We could not learn what became of this training. You were not charged.",
        "pt-BR": "Não conseguimos saber o que houve com este treinamento. Você não foi cobrado.",
    },
    "model_unavailable": {
        "en": "The trainer is not available right now. You were not charged.",
        "pt-BR": "O treinador não está disponível agora. Você não foi cobrado.",
    },
    "out_of_memory": {
        "en": "These settings need more memory than the trainer has. You were not charged.",
        "pt-BR": "Estas configurações exigem mais memória do que o treinador tem. Você não foi cobrado.",
    },
    "trainer_broken": {
        "en": "The trainer itself is out of order at the moment. You were not charged.",
        "pt-BR": "O próprio treinador está com defeito no momento. Você não foi cobrado.",
    },
    "version_lost": {
        "en": "The training ended, but its result could not be kept. You were not charged.",
        "pt-BR": "O treinamento terminou, mas o resultado não pôde ser guardado. Você não foi cobrado.",
    },
    "timeout": {
        "en": "The training took far longer than expected and was stopped. You were not charged.",
        "pt-BR": "O treinamento demorou muito mais que o esperado e foi encerrado. Você não foi cobrado.",
    },
    "model_closed": {
        "en": "The model was closed before the training began. You were not charged.",
        "pt-BR": "O modelo foi encerrado antes de o treinamento começar. Você não foi cobrado.",
    },
    "queue_timeout": {
        "en": "The training waited for a whole day without a free place. You were not charged.",
        "pt-BR": "O treinamento esperou um dia inteiro sem vaga. Você não foi cobrado.",
    },
}

# What to do about it, by the same codes.
TRAINING_REMEDIES: dict[str, dict[Language, str]] = {
    "photos_moderated": {
        "en": "Take out photos with little clothing or anything violent, and train again.",
        "pt-BR": "Retire fotos com pouca roupa ou com algo violento e treine de novo.",
    },
    "photos_unreadable": {
        "en": "Remove the photos you added last, upload them once more, and train again.",
        "pt-BR": "Remova as fotos adicionadas por último, envie-as mais uma vez e treine de novo.",
    },
    "photos_refused": {
        "en": "Train with fewer photos.",
        "pt-BR": "Treine com menos fotos.",
    },
    "photos_lost": {
        "en": "Your photos are still here. Train again.",
        "pt-BR": "As suas fotos continuam aqui. Treine de novo.",
    },
    "provider_rejected": {
        "en": "Train with the advised settings, or with another trainer.",
        "pt-BR": "Treine com as configurações sugeridas ou com outro treinador.",
    },
    "provider_failed": {
        "en": "Train again; if it fails once more, choose another trainer.",
        "pt-BR": "Treine de novo; se falhar outra vez, escolha outro treinador.",
    },
    "provider_unknown": {
        "en": "Train again.",
        "pt-BR": "Treine de novo.",
    },
    "model_unavailable": {
        "en": "Choose another trainer, or come back in an hour.",
        "pt-BR": "Escolha outro treinador ou volte em uma hora.",
    },
    "out_of_memory": {
        "en": "Choose a smaller batch_size, resolution or lora_rank, and train again.",
        "pt-BR": "Escolha um batch_size, resolution ou lora_rank menor e treine de novo.",
    },
    "trainer_broken": {
        "en": "Choose another trainer, or come back in a few hours.",
        "pt-BR": "Escolha outro treinador ou volte em algumas horas.",
    },
    "version_lost": {
        "en": "Train again.",
        "pt-BR": "Treine de novo.",
    },
    "timeout": {
        "en": "Train again, with fewer steps or with another trainer.",
        "pt-BR": "Treine de novo, com menos passos ou com outro treinador.",
    },
    "model_closed": {
        "en": "Create a new model if you want to train one.",
        "pt-BR": "Crie um modelo novo se quiser treinar um.",
    },
    "queue_timeout": {
        "en": "Come back later; many people are training today.",
        "pt-BR": "Volte mais tarde; muita gente está treinando hoje.",
    },
}

# Why a parameter is advised as it is, what may go wrong, and what a cheaper training gives up.
TRAINING_ADVICE: dict[str, dict[Language, str]] = {
    "steps_for_photos": {
        "en": "{steps} steps look at each of your {photos} photos about {times} times.",
        "pt-BR": "Com {steps} passos, cada uma das suas {photos} fotos é vista cerca de {times} vezes.",
    },
    "steps_few_photos": {
        "en": "With only {photos} photos, more than {steps} steps would learn them by heart.",
        "pt-BR": "Com apenas {photos} fotos, mais de {steps} passos as decorariam.",
    },
    "steps_style": {
        "en": "A style needs more looks at each image than a face: {steps} steps.",
        "pt-BR": "Um estilo precisa ver cada imagem mais vezes que um rosto: {steps} passos.",
    },
    "resolution_face": {
        "en": "{resolution} pixels keep skin, eyes and hair sharp.",
        "pt-BR": "{resolution} pixels mantêm pele, olhos e cabelo nítidos.",
    },
    "resolution_body": {
        "en": "The face is small in photos of the body: {resolution} pixels keep it recognisable.",
        "pt-BR": "O rosto fica pequeno em fotos do corpo: {resolution} pixels o mantêm reconhecível.",
    },
    "learning_rate_own": {
        "en": "{learning_rate} is what this trainer was tuned with.",
        "pt-BR": "{learning_rate} é o valor para o qual este treinador foi ajustado.",
    },
    "batch_size_one": {
        "en": "One image at a time suits a small set of photos, and is the cheapest.",
        "pt-BR": "Uma imagem por vez combina com poucas fotos e é o mais barato.",
    },
    "lora_rank_identity": {
        "en": "Rank {lora_rank} is enough for one face and generalises best.",
        "pt-BR": "O rank {lora_rank} basta para um rosto e generaliza melhor.",
    },
    "lora_rank_detail": {
        "en": "Rank {lora_rank} has room for more than a face: clothes, posture, strokes.",
        "pt-BR": "O rank {lora_rank} tem espaço para mais que um rosto: roupas, postura, traços.",
    },
    "autocaption_on": {
        "en": "Descriptions of each photo tell what is you and what is background.",
        "pt-BR": "Descrições de cada foto separam o que é você do que é fundo.",
    },
    "few_photos": {
        "en": "{photos} photos are fewer than the {recommended} that the trainer recommends.",
        "pt-BR": "{photos} fotos são menos que as {recommended} que o treinador recomenda.",
    },
    "no_close_ups": {
        "en": "No photo shows the face from near: add two or three, for likeness.",
        "pt-BR": "Nenhuma foto mostra o rosto de perto: adicione duas ou três, pela semelhança.",
    },
    "no_bodies": {
        "en": "No photo shows the whole body: images of it will be guesses.",
        "pt-BR": "Nenhuma foto mostra o corpo inteiro: imagens dele serão suposições.",
    },
    "all_alike": {
        "en": "All photos are framed alike: images will be, too. Vary distance and place.",
        "pt-BR": "As fotos têm o mesmo enquadramento, e as imagens também terão. Varie distância e lugar.",
    },
    "beyond_plan": {
        "en": "This takes {credits} credits and your plan gives {plan_credits}: add a package.",
        "pt-BR": "Isto custa {credits} créditos e o seu plano dá {plan_credits}: adicione um pacote.",
    },
    "fewer_steps": {
        "en": "Fewer looks at each photo: fine details of the face are learned less well.",
        "pt-BR": "Cada foto é vista menos vezes: detalhes finos do rosto são aprendidos com menos precisão.",
    },
    "another_family": {
        "en": "Images are made with {family}: less likeness, and prompts are followed less closely.",
        "pt-BR": "As imagens são feitas com {family}: menos semelhança e menos fidelidade ao prompt.",
    },
}
