"""Small numbers written as words: "two dead" and "2 dead" say the same, "three dead" does not.

Only words that are nothing else in another of these languages: Spanish "once" is left out for the English one.
"""

from __future__ import annotations

NUMERALS = {
    1: "one first",
    2: "two second zwei deux deuxième dos dois duas twee zweite tweede segundo",
    3: "three third drei trois troisième tres tre três drie dritte tercero terzo terceiro",
    4: "four fourth vier quatre quatrième cuatro quattro quatro vierte cuarto quarto",
    5: "five fifth fünf cinq cinquième cinco cinque vijf fünfte quinto",
    6: "six sixth sechs sixième seis zes sechste sexto",
    7: "seven seventh sieben sept septième siete sette sete zeven",
    8: "eight eighth acht huit huitième ocho otto oito",
    9: "nine ninth neun neuf neuvième nueve nove negen",
    10: "ten tenth zehn dix dixième diez dieci dez tien",
    11: "eleven eleventh onze undici",
    12: "twelve twelfth zwölf douze dodici twaalf",
}
"""English, German, French, Spanish, Italian, Portuguese, Dutch; cardinals and some ordinals."""
