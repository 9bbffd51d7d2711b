"""Words that tell what a part of a page is: in class names and ids, and in what the part says.

Each table is a name on a line of its own, and below it, indented, lines of alternatives (regular
expressions, all in lower case).
"""

from __future__ import annotations

PLACES = r"""
comment
    comment|disqus|respond|replies|kommentar|comentario|discussion|\bfb[-_]|guestbook
related
    relat|recommend|similar|read-?(?:more|also|next)|more-?(?:on|from|news|stories|like)|see-?also|further
    you-?may|also-?like|verwandt|mehr-zum|weiterlesen|interest|lire-aussi|leggi-anche|relacionad|correlat
    in-?link
share
    shar(?:e|ing)|social|follow|facebook|twitter|whatsapp|addthis|sociable|toolbar|tools|print|\bactions?\b
advert
    (?:^|[\W_])ads?(?:$|[\W_])|advert|adslot|adbox|sponsor|promo|outbrain|taboola|dfp|werbung|anzeige
    publicit|affiliate|banner|native|commercial|shopping|product|donat|campaign|\bcta\b|callout
newsletter
    newsletter|subscri|sign-?up|signin|login|regist|paywall|piano|tp-|abo(?:nn|$|-)|premium|member|mailing
    opt-?in
navigation
    nav|menu|breadcrumb|masthead|site-?header|page-?header|skip|pagination|pager|paging|toc|topbar|search
    lang
footer
    foot|copyright|legal|imprint|colophon|disclaimer|bottom
sidebar
    side|rail|widget|aside|column-?(?:right|left)|right-?col|secondary|complement|infobox|factbox|box
caption
    caption|credit|photo|image|img|gallery|figure|media|slide|carousel|video|player|legend|bildunter|thumb
    embed
byline
    author|byline|\bbio\b|-bio|writer|contributor|reporter|meta|date|time|publish|posted|autor|info|details
    dateline|kicker|eyebrow|rubric|label|reading
tags
    tags?\b|topic|keyword|categor|hashtag|tagged|schlagwort|etiqueta
teaser
    teaser|card|trend|most-?(?:read|popular|viewed)|popular|latest|recent|top-?(?:stories|news)|headlines
    listing|\blist\b|feed|river|archive|item|grid|tile|news-?list|ticker|stories|preview|upnext|next|prev
consent
    cookie|consent|gdpr|privacy|modal|popup|pop-up|overlay|lightbox|dialog|notice|alert|onetrust|message
    toast|banner
hidden
    hidden|sr-only|visually|screen-?reader|offscreen|print-only|invisible|hide\b|no-?js|noscript|a11y
headline
    headline|title|heading|titre|titulo|ueberschrift|hed\b
deck
    deck|dek\b|standfirst|subtitle|sub-?head|summary|lead|lede|intro|excerpt|abstract|sapo|teasertext
    description|strapline|chapo|bajada|sommario|synopsis|highlights|key-?points|bullet
body
    article-?_*(?:body|text|content|main|copy|detail|page)|articlebody
    (?:story|post|entry|news|main|page|content|body|field|single)-?_*(?:body|content|text|copy|detail)
    \btext\b|body-?copy|richtext|rich-text|artikel|articulo|cuerpo|corps|wysiwyg|prose|hentry
paragraph
    paragraph|para\b|\bp\b|text-?block|block-?text|absatz|parrafo|body-?text
article
    article|story|\bpost\b|entry|noticia|nota
aside_text
    pull-?quote|quote|fact|explainer|inset|correction|update|transcript|source|footnote|reference|note
"""
"""Words that class names, ids and roles use for kinds of places, in the languages whose words sites use there."""

PHRASES = r"""
signup
    newsletter|subscri|sign up|log ?in|abonn|inscri|suscr|register|registr|iscriv|assine|prenumer|підпис
    подпис|订阅|購読|会員|app store|google play|download
follow
    follow (?:us|me|him|her)|facebook|twitter|instagram|whatsapp|telegram|youtube|linkedin
    share (?:this|on|via)|teilen|partag|compart|condivid|seguici|síguenos|folge|suivez|siga|シェア|分享
related
    ^(?:read (?:more|also|next)|also read|see also|related|more (?:on|from|stories)|recommended)
    ^(?:watch|listen|lire aussi|à lire|lesen sie|lies auch|mehr zum|leia|lea |lee |te puede|también)
    ^(?:leggi|lees ook|läs |les (?:også|mer)|læs|czytaj|читайте|читать|関連|baca|oku|click here)
    ^(?:don't miss|you may|you might|up next|in other news|trending)
legal
    ©|\(c\) |copyright|all rights reserved|alle rechte|tous droits|todos los derechos|reserved|privacy
    cookie|terms of|datenschutz|impressum|無断
credit
    ^(?:photo|image|picture|foto|bild|source|quelle|credit|via|getty|afp|ap photo|reuters|imago|dpa)\b
    ^(?:写真|фото|illustration|video)\b
    getty images|shutterstock|\bafp\b.{0,20}$|/getty|/ ?ap\b|associated press\)?$
    (?:photo|foto|image|picture) ?(?:by|:|credit|courtesy)|unsplash|istock|reuters\)?$
year
    \b(?:19|20)\d\d\b
time
    \d{1,2}[:.]\d\d\b|\bago\b|\bvor \d|\bil y a\b|hace \d|updated|published|posted|aktualis|publi
    min(?:ute)?s? read|opdater|oppdatert
by
    ^(?:by|von|par|por|di|af|av|door|от|автор|texte?|autor|author|written by|reporting by|editing by)\b ?:?
comment
    comment|kommentar|comentario|commento|reply|antwort|répond|コメント|комментари|reactie
biography
    \b(?:is|was|has been) (?:an?|the|our)\b.{0,60}(?:reporter|writer|editor|journalist|correspondent|author|columnist)
    \b(?:is|was|has been) (?:an?|the|our)\b.{0,60}(?:professor|contributor|director|founder|fellow|freelance|producer)
    can be reached|contact (?:him|her|the author)|email (?:him|her)|@\w+\.\w|on twitter
notice
    ^(?:this (?:article|story|post|content)|the views|views expressed|disclaimer|note:)
    ^(?:editor'?s note|correction|disclosure|advertisement|werbung|anzeige|publicité|publicidad)
    ^(?:sponsored|ad\b|(?:story|article) continues)
    reprinted|originally (?:published|appeared)|affiliate|opinions expressed|third.party
number
    ^\W*\d+\W*(?:\w+)?$
contact
    \b\d{3}[-. ]\d{3,4}[-. ]\d{3,4}|[\w.]@[\w.]+\.\w|p\.o\. box
"""
"""What texts around an article say, in the languages most news is written in."""

BLOCK_TAGS = """
address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer
form h1 h2 h3 h4 h5 h6 header hgroup hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul
video audio iframe object embed
"""
"""Elements that begin a new block (https://html.spec.whatwg.org/#flow-content-3, rendered as blocks)."""

SKIPPED_TAGS = """
script style template noscript head title svg math select textarea button iframe object embed video audio canvas map
input datalist meter progress
"""
"""Elements whose text is no text of the article."""

JUDGED_TAGS = """
p li div td h1 h2 h3 h4 h5 h6 blockquote pre figcaption dd dt section article body aside main header footer ul th
center address
"""
"""Elements that are evidence by their name; all others count as one."""


def read_table(text: str) -> dict[str, str]:
    """A table -> its names, each with one regular expression."""
    lines_of: dict[str, list[str]] = {}
    name = ""
    for line in text.strip().split("\n"):
        if line.startswith("    "):
            # Only the indent is cut: an alternative may end in a space.
            lines_of[name].append(line[4:])
        else:
            name = line
            lines_of[name] = []
    return {name: "|".join(lines) for name, lines in lines_of.items()}
