"""What the people of the county are called: names as they are found there side by side; nobody in particular."""

import random
from typing import Final

_SEED: Final = 4

# Where families come from: how many of a hundred, first names, surnames.
_FAMILIES: Final = (
    (
        38,
        """
        Margaret Colin Pauline Derek Sheila Roy Hazel Graham Lesley Trevor Gillian Keith Maureen Barry Janet
        Clive Tessa Martin Rosie Adam Holly Luke Beth Simon Charlotte Jack Emily Ben Sophie Tom Lucy Harry Alice
        George Ruth Oliver Jean Frank Dawn Stuart Elaine Ivor Nicola Paul Heather Mark Wendy Ian Linda Nigel
        Carol Neil Judith Philip Sandra Alan Julie Peter Karen Roger Anita David Susan Kevin Jill Andrew Marion
        Geoff Tracy Brian Joan Steve Debbie Terry Christine Ray
        """,
        """
        Fletcher Haylock Papworth Setchell Thurlow Wayman Chapman Doggett Fensom Gotobed Hurry Ison Jarman Kisby
        Larkins Murfitt Norman Pettit Quince Rayner Stearn Tabor Unwin Vawser Wilkin Yarrow
        """,
    ),
    (
        9,
        """
        Carys Gethin Nia Rhys Eleri Dylan Megan Owain Bronwen Huw Sioned Emyr Lowri Gareth Angharad Ieuan Ffion
        Aled
        """,
        """
        Bowen Pritchard Llewellyn Morgan Rees Vaughan Probert
        """,
    ),
    (
        8,
        """
        Fiona Callum Aoife Declan Mairi Hamish Siobhan Eamon Isla Fergus Niamh Angus Orla Rory Catriona Brendan
        """,
        """
        Buchanan Gallagher Sinclair Doherty Munro Brennan Kerr
        """,
    ),
    (
        16,
        """
        Bilal Priya Hamid Sunita Arjun Nasreen Imran Meena Tariq Lakshmi Faisal Deepa Rahul Shabnam Vikram
        Ayesha Gurpreet Jasmin Harpal Nusrat Kiran Salma Dev Farah Manjit Rukhsana Anil Zainab Sanjay Tahira
        Ravi Parveen
        """,
        """
        Hussain Patel Rahman Kaur Chowdhury Nair Malik Sharma Begum Singh Iyer Akhtar
        """,
    ),
    (
        12,
        """
        Jola Piotr Agnieszka Marek Danuta Tomasz Rasa Vilius Ionela Radu Katya Zofia Andrzej Magda Jurga Stefan
        Ewa Krzysztof Mirela Bogdan Halina Darius Lenka Pavel
        """,
        """
        Nowak Wojcik Kowalczyk Zielinska Kazlauskas Popescu Lewandowski Jankauskas Novak Mazur
        """,
    ),
    (
        9,
        """
        Femi Precious Winston Marcia Kwame Abena Delroy Chidi Yvonne Lwazi Adaeze Errol Nomsa Tunde Beverley
        Kofi Hyacinth Amara
        """,
        """
        Campbell Okafor Mensah Bailey Adeyemi Francis Moyo Grant Osei
        """,
    ),
    (
        4,
        """
        Mei Jun Linh Hiro Siew Anh Xiu Kenji
        """,
        """
        Wong Nguyen Tanaka Chen
        """,
    ),
    (
        4,
        """
        Ines Rui Marisol Joao Pilar Tiago Elena Nuno
        """,
        """
        Ferreira Costa Romero Sousa
        """,
    ),
)
# Some give no more than this: it is all that anybody must give.
_FIRST_NAMES_ONLY: Final = ("Kit", "Mo", "Edith", "Sunny", "Bex", "Old Tom", "Jools", "Dee")
_CHILDREN: Final = (
    *("Ella", "Zayn", "Maja", "Idris", "Poppy", "Kai", "Aisha"),
    *("Freddie", "Cerys", "Josh", "Anaya", "Leon", "Rosa", "Sam"),
)


def grown_up(count: int) -> list[str]:
    """So many names, each once, mixed as the county is; Ann Fletcher and Bilal Hussain are the first."""
    first, rest = ["Ann Fletcher", "Bilal Hussain"], list(_FIRST_NAMES_ONLY)
    for share, given, family in _FAMILIES:
        names, surnames = given.split(), family.split()
        wanted = -(-count * share // 100)
        rest += [f"{name} {surnames[at % len(surnames)]}" for at, name in enumerate(names[:wanted])]
    others = [name for name in rest if name not in first]
    random.Random(_SEED).shuffle(others)  # noqa: S311  # the same county every time
    return [*first, *others[: count - len(first)]]


def child_of(guardian: str, number: int) -> str:
    """A child's name, with their guardian's surname."""
    return " ".join([_CHILDREN[number % len(_CHILDREN)], *guardian.split()[1:]])
