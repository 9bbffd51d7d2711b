"""What is no name in a byline: labels, roles, places and other people's credits, in many languages."""

from __future__ import annotations

import pytest

from worker.clean.people import parse_byline


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Testo di Ann Roe, foto di Tom Lee", ["Ann Roe"]),
        ("Words: Ann Roe; Pictures: Tom Lee", ["Ann Roe"]),
        ("Teksti: Matti Virtanen, Kuva: Liisa Korhonen", ["Matti Virtanen"]),
        ("Текст: Иван Петров, Фото: Олег Сидоров", ["Иван Петров"]),
        ("Reporting by Ann Roe; Editing by Tom Lee", ["Ann Roe"]),
        ("Ann Roe, as told to Tom Lee", ["Ann Roe"]),
        ("An analysis by Ann Roe", ["Ann Roe"]),
        ("Aufgezeichnet von Ann Roe", ["Ann Roe"]),
        ("Propos recueillis par Ann Roe", ["Ann Roe"]),
        ("Ann Roe in Paris and Tom Lee in London", ["Ann Roe", "Tom Lee"]),
        ("Ann Roe en Madrid", ["Ann Roe"]),
        ("Jan de Vries en Piet Bakker", ["Jan de Vries", "Piet Bakker"]),
        ("Ann Roe Chief Political Correspondent", ["Ann Roe"]),
        ("Ann Roe and Tom Lee Staff Writers", ["Ann Roe", "Tom Lee"]),
        ("Valley Post Staff Reporter", []),
        ("Ann Roe - Staff reporter", ["Ann Roe"]),
        ("Ann Roe Tuesday 3 May", ["Ann Roe"]),
        ("Ann Roe (ar)", ["Ann Roe"]),
        ("Ann Roe avec AFP", ["Ann Roe"]),
        ("Autorzy: Jan Kowalski i Anna Nowak", ["Jan Kowalski", "Anna Nowak"]),
        ("Jordi Puig i Cadafalch", ["Jordi Puig i Cadafalch"]),
        ("Szerző: Nagy Péter és Kiss Anna", ["Nagy Péter", "Kiss Anna"]),
        ("Autor: Ion Popescu și Maria Ionescu", ["Ion Popescu", "Maria Ionescu"]),
        ("Автори: Олена Коваль та Іван Шевченко", ["Олена Коваль", "Іван Шевченко"]),
        ("Γράφει ο Γιώργος Παππάς και Μαρία Νίκου", ["Γιώργος Παππάς", "Μαρία Νίκου"]),
        ("Tác giả: Nguyễn Văn An", ["Nguyễn Văn An"]),
        ("بقلم: أحمد علي", ["أحمد علي"]),
        ("מאת דוד כהן", ["דוד כהן"]),
        ("लेखक: राम कुमार", ["राम कुमार"]),
        ("โดย สมชาย ใจดี", ["สมชาย ใจดี"]),
        ("[서울] 홍길동·김철수 기자", ["홍길동", "김철수"]),
        ("記者王小明／台北報導", ["王小明"]),
        ("记者 王小明 李华", ["王小明", "李华"]),
        ("山田太郎記者", ["山田太郎"]),
    ],
)
def test_what_surrounds_names_is_no_part_of_them(line: str, expected: list[str]) -> None:
    assert [person.name for person in parse_byline(line).people] == expected
