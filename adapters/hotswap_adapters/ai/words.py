"""Words of a text: which of them say nothing, and which are forms of the same."""

from __future__ import annotations

import re

CJK = re.compile(r"[぀-ヿ㐀-鿿가-힯]")
TOKEN = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\W_]+(?:['’-][^\W_]+)*")  # noqa: RUF001 - a typographic apostrophe

_STOP_WORD_LIST = """
a about above work works working across after again against ago all almost alone along already also although always
am among an and another any anyone anything are around as at away back be became because become been before began
behind being below between both but by came can cannot come comes could did do does doing done down during each
either else enough etc even ever every everyone everything few first for from further gave get gets give given gives
go goes going gone got had has have having he her here hers herself him himself his how however i if in indeed
instead into is it its itself just keep keeps kept last later least less let like likely long made make makes making
many may maybe me mean means might mine more most much must my myself near need needs never new next no nobody none
nor not nothing now of off often old on once one ones only onto or other others our ours out over own per perhaps
please put quite rather really said same saw say says second see seem seems seen several shall she should since so
some someone something soon still such take taken takes than that the their them themselves then there these they
thing things third this those though three through thus till to together too took toward towards two under unless
until up upon us use used uses using usually very via want wants was way we well went were what when where whether
which while who whole whom whose why will with within without would yes yet you your yours example e.g i.e al et vs
der die das den dem des ein eine einer eines einem einen und oder aber nicht kein keine ist sind war waren wird
werden wurde wurden hat haben hatte hatten ich du er sie es wir ihr sich mich dich uns ihm ihn ihnen mein dein sein
seine seiner seinen ihre ihrer ihren im ins ans auf aus bei beim bis durch für gegen mit nach ohne seit um unter von
vom vor zu zum zur zwischen über als auch da damit dann dass daß denn dies diese dieser dieses diesem diesen doch
dort hier hin immer ja jede jeder jedes jedoch jetzt kann können konnte mehr muss müssen noch nun nur ob schon sehr
soll sollen sollte sondern viel viele weil welche welcher welches wenn wer wie wieder wo le la les un une de ou mais
ne pas ce cet cette ces il elle ils elles nous vous je tu se sa son ses leur leurs mon ma mes ton ta tes notre nos
votre vos qui que quoi dont où dans sur sous par pour avec sans entre vers chez est sont était étaient être avoir
ont avait fait plus moins très aussi comme si au aux en y même tout tous toute toutes quand lorsque donc ainsi alors
el los las una unos unas o pero era eran ser fue han había lo su sus mi quien cual donde cuando como con sin sobre
hasta desde para por más menos muy también ya sí este esta estos estas ese esa eso del ha gli uno e ed non che chi
cui è sono erano essere hanno aveva di nel nella nei nelle tra fra più anche questo questa questi queste quello
quella suo sua suoi sue ci vi dal dalla dei degli delle alla os uma umas em na nas ao aos à às pelo pela com sem mas
não foi são ter tem seu seus suas isso isto esse essa também muito já quando onde het een van op te dat niet voor
met zijn aan ook maar om bij nog naar dan wordt worden uit wel kan geen
"""
STOP_WORDS = frozenset(_STOP_WORD_LIST.split())
"""English, German, French, Spanish, Italian, Portuguese and Dutch words that are about nothing by themselves."""

_SUFFIX = re.compile(r"(?:ings?|edly|ed|ies|es|s|ly|ern|en|er|em|e|y)$")
_DOUBLED = re.compile(r"([bdgmnprt])\1$")
_SHORTEST_STEM = 3


def stem(word: str) -> str:
    """Return what the common forms of a word share: swap, swaps, swapped, swapping. Rough, and for Latin letters."""
    folded = word.casefold()
    cut = _SUFFIX.sub("", folded)
    if len(cut) < _SHORTEST_STEM:
        return folded
    return _DOUBLED.sub(r"\1", cut)


def content_stems(text: str) -> list[str]:
    """Return the stems of the words that say something, in order; a CJK character counts as a word."""
    return [
        stem(each)
        for each in TOKEN.findall(text)
        if (len(each) > 1 or CJK.match(each)) and each.casefold() not in STOP_WORDS
    ]
