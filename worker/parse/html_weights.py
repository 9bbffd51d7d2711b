"""Weights of the evidence for a block being a paragraph of the article: four logistic regressions.

Fitted (L2, C=1, each page counting the same) on 718 pages whose article texts people had marked, by a forerunner of
benchmarks/fit_html_weights.py, which fits them anew and rewrites this file. `BIAS` is the constant term. Evidence
without a weight counts nothing. Names are those of `html_evidence`; `in_*` is evidence from other extractors.
"""

from __future__ import annotations

import msgspec

BIAS = "bias"


class Tables(msgspec.Struct, frozen=True):
    """Weights by name: without and with other extractors, each for a look at a block alone and among its neighbours."""

    own_first: dict[str, float]
    own_second: dict[str, float]
    joint_first: dict[str, float]
    joint_second: dict[str, float]


def _table(bias: float, text: str) -> dict[str, float]:
    pairs = (entry.partition("=") for entry in text.split())
    return {BIAS: bias} | {name: float(weight) for name, _, weight in pairs}


OWN_FIRST = _table(
    0.81,
    """
before_heading=-2.57 commas=0.36 depth=1.78 end_sentence=1.16 far_<article>=0.03 far_<aside>=-1.44
far_<blockquote>=0.06 far_<dl>=0.50 far_<figcaption>=-0.02 far_<figure>=0.98 far_<footer>=-2.06 far_<form>=-1.68
far_<header>=-0.67 far_<li>=-0.62 far_<main>=0.38 far_<nav>=0.81 far_<ol>=-0.58 far_<section>=0.04
far_<table>=1.33 far_<ul>=-0.67 far_advert=-0.24 far_aside_text=1.47 far_body=0.65 far_byline=0.10
far_caption=-1.17 far_comment=-1.67 far_consent=-0.36 far_deck=-0.04 far_footer=-0.79 far_headline=0.21
far_hidden=-0.66 far_navigation=-0.03 far_newsletter=-0.35 far_paragraph=-0.46 far_related=0.30 far_share=-1.02
far_sidebar=-0.40 far_tags=1.45 far_teaser=-0.21 grandparent_ratio=-0.14 grandparent_share=1.88 in_title=0.47
length=-0.09 lines=-0.09 links=-1.51 links_all=-0.55 links_no=-0.48 links_third=-0.73 lower_start=-0.21 mixed=0.29
near_<article>=-0.34 near_<aside>=-1.06 near_<blockquote>=2.28 near_<details>=0.26 near_<dl>=-0.38
near_<figcaption>=0.03 near_<figure>=-0.52 near_<footer>=-0.84 near_<form>=-0.89 near_<h>=-0.07
near_<header>=-1.03 near_<li>=0.29 near_<main>=0.47 near_<nav>=0.13 near_<ol>=1.14 near_<section>=-0.31
near_<table>=-0.44 near_<ul>=0.50 near_advert=0.92 near_article=0.04 near_aside_text=-0.93 near_body=0.43
near_byline=-0.40 near_caption=-0.87 near_comment=-2.40 near_consent=-1.14 near_deck=-0.52 near_footer=-1.47
near_headline=-0.02 near_hidden=-0.74 near_navigation=0.04 near_newsletter=-1.03 near_paragraph=-0.18
near_related=-0.65 near_share=0.06 near_sidebar=-0.71 near_tags=0.39 parent_count=0.38 parent_most=-0.64
parent_ratio=2.43 parent_share=1.69 position=-2.08 repeated=-0.10 says_biography=-0.66 says_biography_only=-0.06
says_by=-0.19 says_by_only=-0.29 says_comment=-0.30 says_comment_only=-0.55 says_contact=-0.18
says_contact_only=0.31 says_credit=-0.18 says_credit_only=-0.07 says_follow=-0.77 says_follow_only=-0.27
says_legal=-1.43 says_legal_only=-0.28 says_notice=-0.61 says_notice_only=-0.14 says_number=-0.02
says_number_only=-0.02 says_related=-0.61 says_related_only=-0.71 says_signup=-1.07 says_signup_only=-0.60
says_time_only=-0.79 says_year=-0.47 says_year_only=-0.61 stops=-0.89 tag_address=-0.06 tag_aside=-0.08
tag_blockquote=-0.27 tag_body=-0.26 tag_center=-0.03 tag_dd=-0.25 tag_div=-0.04 tag_dt=-0.04 tag_footer=-0.02
tag_h1=-1.46 tag_h2=0.72 tag_h3=0.96 tag_h4=-0.55 tag_h5=0.14 tag_h6=0.08 tag_li=1.09 tag_other=-0.11 tag_p=0.69
tag_pre=0.45 tag_section=-0.13 tag_td=-0.12 tag_th=0.04 tag_ul=0.05 upper=-0.22 words_15=-0.27 words_2=-1.48
words_25=0.11 words_4=0.18 words_40=-0.09 words_8=-0.57 words_80=0.24
""",
)
"""The first look: a block by itself."""

OWN_SECOND = _table(
    -0.62,
    """
after_last=-1.12 before_first=-0.58 before_heading=-0.38 between=1.14 chance_+1=0.60 chance_+2=0.21 chance_+3=0.25
chance_-1=0.57 chance_-2=0.04 chance_-3=0.25 commas=0.54 depth=-0.06 end_other=0.12 end_sentence=0.59
far_<article>=-0.06 far_<aside>=-0.03 far_<dl>=0.05 far_<figure>=0.02 far_<footer>=-0.30 far_<form>=-0.17
far_<header>=-0.09 far_<li>=-0.21 far_<main>=-0.24 far_<nav>=0.05 far_<ol>=-0.13 far_<section>=-0.04
far_<table>=0.13 far_<ul>=-0.14 far_article=0.18 far_aside_text=0.03 far_body=-0.62 far_byline=-0.18
far_caption=-0.18 far_comment=-0.22 far_consent=0.11 far_deck=-0.12 far_footer=-0.35 far_headline=0.02
far_hidden=0.09 far_navigation=0.13 far_newsletter=-0.02 far_paragraph=-0.41 far_related=-0.03 far_share=-0.25
far_sidebar=-0.13 far_tags=0.43 far_teaser=0.16 first_chance=2.05 grandparent_density=0.64 grandparent_mass=-0.15
grandparent_mass_ratio=0.41 grandparent_ratio=-0.41 in_title=0.35 length=-0.24 lines=0.02 links=-0.43
links_all=0.07 links_no=0.02 links_third=-0.26 long_after=0.37 long_before=0.28 lower_start=-0.17 mass_+1=-0.15
mass_-1=-0.25 mass_so_far=0.29 mixed=0.03 near_<article>=-0.22 near_<aside>=-0.20 near_<blockquote>=0.16
near_<details>=0.07 near_<dl>=-0.09 near_<figcaption>=-0.44 near_<figure>=-0.51 near_<footer>=-0.12
near_<form>=-0.19 near_<h>=0.03 near_<header>=-0.06 near_<li>=-0.03 near_<main>=0.03 near_<nav>=0.08
near_<ol>=0.15 near_<section>=0.28 near_<ul>=-0.07 near_article=0.17 near_aside_text=-0.31 near_body=-0.04
near_byline=-0.14 near_caption=-0.28 near_comment=-0.30 near_consent=-0.20 near_footer=-0.38 near_headline=0.06
near_hidden=0.16 near_newsletter=-0.17 near_paragraph=-0.54 near_related=-0.15 near_share=-0.10 near_sidebar=-0.22
near_teaser=0.03 parent_count=-0.81 parent_density=0.77 parent_mass=-0.04 parent_mass_ratio=0.83 parent_most=-0.25
parent_ratio=0.22 parent_share=0.30 repeated=-0.18 says_biography=-0.05 says_by=-0.06 says_by_only=-0.06
says_comment=-0.12 says_comment_only=-0.13 says_contact=0.02 says_contact_only=0.08 says_credit=-0.19
says_credit_only=-0.13 says_follow=-0.30 says_follow_only=-0.11 says_legal=-0.43 says_legal_only=-0.13
says_notice=-0.18 says_notice_only=-0.08 says_related=-0.18 says_related_only=-0.20 says_signup=-0.54
says_signup_only=-0.24 says_time=-0.10 says_time_only=-0.18 says_year=-0.19 says_year_only=-0.25 stops=-0.29
tag_blockquote=-0.11 tag_body=-0.07 tag_dd=-0.06 tag_div=-0.27 tag_figcaption=-0.31 tag_h1=-0.07 tag_h2=0.06
tag_h3=0.11 tag_h4=-0.11 tag_h6=0.02 tag_li=0.20 tag_other=-0.04 tag_p=0.17 tag_pre=-0.14 tag_section=-0.03
tag_td=0.09 upper=-0.05 words_15=-0.22 words_2=-0.85 words_25=0.03 words_4=-0.24 words_40=0.05 words_8=-0.41
words_80=0.09
""",
)
"""The second look: with its neighbours."""

JOINT_FIRST = _table(
    -1.45,
    """
before_heading=-2.10 commas=0.77 depth=0.57 end_other=-0.12 end_sentence=0.62 far_<article>=-0.37
far_<aside>=-0.32 far_<blockquote>=0.03 far_<details>=0.09 far_<dl>=0.18 far_<figure>=1.02 far_<footer>=-0.71
far_<form>=-0.69 far_<header>=-0.39 far_<li>=-0.26 far_<main>=0.54 far_<nav>=0.84 far_<ol>=-0.16
far_<section>=0.20 far_<table>=0.68 far_<ul>=-0.45 far_advert=0.21 far_article=-0.06 far_aside_text=1.09
far_body=0.41 far_byline=-0.13 far_caption=-1.03 far_comment=-1.22 far_consent=-0.44 far_deck=-0.11
far_footer=-0.31 far_headline=0.06 far_hidden=-0.10 far_navigation=0.46 far_newsletter=-0.04 far_paragraph=-0.81
far_related=0.68 far_share=-1.27 far_sidebar=-0.13 far_tags=1.56 far_teaser=-0.20 grandparent_ratio=-0.12
grandparent_share=0.74 in_full=-0.19 in_prec=2.92 in_resi=1.56 in_title=-0.44 length=-0.34 lines=-0.35 links=-0.86
links_all=-0.09 links_no=-0.29 links_third=-0.58 lower_start=-0.51 mixed=-0.25 near_<article>=-0.75
near_<aside>=-0.15 near_<blockquote>=1.45 near_<details>=0.17 near_<dl>=-0.32 near_<figcaption>=0.69
near_<figure>=0.37 near_<footer>=-0.30 near_<form>=-0.38 near_<h>=-0.76 near_<header>=-0.16 near_<li>=0.21
near_<main>=0.22 near_<nav>=-0.04 near_<ol>=0.07 near_<section>=-0.08 near_<table>=-0.22 near_<ul>=0.49
near_advert=0.95 near_article=0.16 near_aside_text=-0.32 near_body=0.60 near_byline=-0.46 near_caption=-0.51
near_comment=-1.08 near_consent=-0.37 near_deck=-0.64 near_footer=-1.33 near_headline=0.06 near_hidden=-0.11
near_navigation=-0.39 near_newsletter=-0.15 near_paragraph=-0.11 near_related=-0.16 near_share=0.63
near_sidebar=-0.44 near_tags=0.26 near_teaser=-0.03 parent_count=-0.17 parent_most=-0.21 parent_ratio=2.32
parent_share=0.97 position=-2.03 repeated=-0.16 says_biography=-0.59 says_by_only=-0.04 says_comment=-0.24
says_comment_only=-0.27 says_contact=-0.08 says_contact_only=0.22 says_credit=-0.04 says_credit_only=-0.02
says_follow=-0.33 says_follow_only=-0.14 says_legal=-0.86 says_legal_only=-0.33 says_notice=-0.51
says_notice_only=-0.16 says_number=-0.27 says_number_only=-0.27 says_related=-0.51 says_related_only=-0.53
says_signup=-0.87 says_signup_only=-0.55 says_time=0.16 says_time_only=-0.39 says_year=-0.45 says_year_only=-0.57
stops=-0.80 tag_address=-0.03 tag_blockquote=-0.11 tag_body=-0.19 tag_center=-0.02 tag_dd=-0.23 tag_div=-0.12
tag_dt=-0.07 tag_figcaption=0.42 tag_h1=-1.32 tag_h2=0.24 tag_h3=0.46 tag_h4=-0.33 tag_h5=0.14 tag_li=0.55
tag_other=-0.02 tag_p=-0.09 tag_pre=-0.43 tag_section=-0.07 tag_td=-0.18 tag_th=-0.07 tag_ul=0.03 upper=-0.40
words_15=-0.60 words_2=-0.45 words_25=0.02 words_4=0.38 words_8=-0.60 words_80=0.18
""",
)
"""As OWN_FIRST, with what other extractors took."""

JOINT_SECOND = _table(
    -1.43,
    """
after_last=-0.41 before_first=-0.50 before_heading=-0.19 between=0.22 chance_+1=0.64 chance_+2=0.24 chance_+3=0.48
chance_-1=0.72 chance_-2=0.20 chance_-3=0.45 commas=0.44 depth=-0.03 end_other=-0.10 end_sentence=0.29
far_<article>=-0.11 far_<aside>=0.07 far_<dl>=0.04 far_<figure>=0.33 far_<footer>=-0.19 far_<form>=-0.24
far_<header>=-0.03 far_<li>=-0.11 far_<main>=-0.07 far_<nav>=0.33 far_<section>=0.10 far_<table>=-0.10
far_<ul>=0.07 far_article=-0.09 far_aside_text=0.75 far_body=-0.08 far_byline=-0.27 far_caption=-0.08
far_comment=-0.38 far_consent=0.11 far_deck=-0.28 far_footer=0.22 far_headline=-0.06 far_hidden=0.22
far_navigation=0.25 far_newsletter=0.02 far_paragraph=-0.58 far_related=0.24 far_share=-0.30 far_sidebar=-0.13
far_tags=0.67 far_teaser=-0.18 first_chance=2.97 grandparent_density=0.68 grandparent_mass=-0.31
grandparent_mass_ratio=0.20 grandparent_ratio=-0.65 grandparent_share=0.14 in_full=0.42 in_prec=0.35 in_resi=0.45
in_title=0.36 length=-0.32 lines=0.08 links=-0.58 links_all=0.41 links_no=-0.19 links_third=-0.40 long_after=0.40
long_before=0.03 lower_start=-0.54 mass_+1=-0.15 mass_-1=-0.04 mass_so_far=0.25 mixed=-0.06 near_<article>=-0.28
near_<aside>=-0.10 near_<blockquote>=0.62 near_<details>=0.17 near_<dl>=-0.18 near_<figcaption>=0.04
near_<figure>=-0.19 near_<footer>=-0.12 near_<form>=-0.25 near_<h>=-0.13 near_<header>=0.08 near_<li>=0.24
near_<main>=0.08 near_<nav>=0.12 near_<table>=-0.03 near_<ul>=0.04 near_advert=0.18 near_article=0.22
near_aside_text=-0.20 near_body=-0.17 near_byline=-0.27 near_caption=-0.19 near_comment=-0.20 near_consent=-0.03
near_deck=-0.10 near_footer=-0.45 near_headline=0.26 near_hidden=0.37 near_navigation=0.19 near_newsletter=0.03
near_paragraph=-0.15 near_related=-0.15 near_share=0.25 near_sidebar=-0.30 near_teaser=0.05 parent_count=-1.43
parent_density=0.70 parent_mass=-0.20 parent_mass_ratio=0.87 parent_most=-0.49 parent_ratio=1.22 parent_share=0.40
position=-0.35 repeated=-0.15 says_biography=-0.21 says_biography_only=0.03 says_by=-0.04 says_by_only=-0.02
says_comment=-0.07 says_comment_only=-0.18 says_contact=0.06 says_contact_only=0.22 says_credit=-0.17
says_credit_only=-0.13 says_follow=-0.26 says_follow_only=-0.15 says_legal=-0.49 says_legal_only=-0.17
says_notice=-0.46 says_notice_only=-0.20 says_number=-0.20 says_number_only=-0.20 says_related=-0.44
says_related_only=-0.46 says_signup=-0.46 says_signup_only=-0.33 says_time=0.10 says_time_only=-0.30
says_year=-0.10 says_year_only=-0.38 stops=-0.42 tag_address=-0.02 tag_blockquote=-0.09 tag_body=-0.17
tag_center=-0.03 tag_dd=-0.13 tag_div=0.10 tag_dt=-0.03 tag_figcaption=-0.06 tag_h1=-0.40 tag_h2=0.18 tag_h3=0.18
tag_h4=-0.21 tag_h5=0.09 tag_li=0.03 tag_p=0.14 tag_pre=-0.59 tag_section=-0.05 tag_td=-0.28 tag_th=-0.09
upper=-0.24 words_15=-0.10 words_2=-0.89 words_40=-0.07 words_8=-0.11 words_80=0.17
""",
)
"""As OWN_SECOND, with what other extractors took."""

FITTED = Tables(OWN_FIRST, OWN_SECOND, JOINT_FIRST, JOINT_SECOND)
