"""What prompts are made of, in English and Portuguese, without accents.

As a trigger word any of these would call up what it means.
"""

from __future__ import annotations

COMMON_WORDS = frozenset(
    """
    abstract actor adult agua amigo amor animal anime arquitetura arte artist artista asian autumn
    azul baby background bairro banco barba beach beautiful bebe beleza bird black blonde blue boca
    body bonita bonito boy braco branco brasil brazil bride brown business cabeca cabelo cachorro
    cadeira cafe camera camisa campo cao car carro carta cartoon casa casaco castelo cat chair charm
    child chuva cidade cinema cinematic city class close cloud coat color colour computer cores
    corpo corrida costas cozinha crianca cute dance dark day deus dia dog drawing dress elegant
    escola escritorio espaco esporte estilo estrela eyes face familia family fantasy fashion fatos
    feliz festa film filme fire flor flower fogo forest foto fotografia friend gato gente girl
    glasses gold golden good green guy hair hand happy hat head headshot hello homem hora house
    human idoso igreja ilha image imagem indian inverno jardim jogo jovem kid king lady lago lamp
    landscape leao letra light linda lindo livro lua luz man mao mar mare marketing masculino mask
    menina menino mesa moda model modelo moon mother mulher mundo music musica natal nature natureza
    neve night noite noiva nose novo ocean oculos office old olhos ouro pai painting palace palavra
    papel paris parque party pele people perfect perfil person pessoa photo picture pink pintura
    pixel planta portrait praia prata predio preto princess profile prompt queen rain realistic red
    retrato rio river road robot rosa rosto roupa rua sad selfie senhor senhora sky smile snow sol
    sorriso space sport spring star street studio style suit summer sun sunset super sword terno
    terra test teste tree trem trigger urban vampire verde vermelho vestido vida video vintage
    violao vivo warrior water white winter wolf woman women word world year yellow young
    """.split()  # noqa: SIM905  # a list of literals would have a line for each word
)
