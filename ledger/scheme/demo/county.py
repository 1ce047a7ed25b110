"""The county as it is told: districts, projects and what can be done at them. Places and people are made up.

A project's alias is what a slip or a statement says; it tells nothing of anybody's life. Coordinates are those of the
real districts, in thousandths of a degree.
"""

from typing import Final

from msgspec import Struct

from ledger.scheme.opportunities import Kind, Referral

# Name, latitude north and longitude east.
DISTRICTS: Final = (
    *(("CB1", 52195, 145), ("CB2", 52187, 121), ("CB3", 52206, 90), ("CB4", 52222, 125), ("CB5", 52209, 160)),
    *(("CB6", 52410, 180), ("CB7", 52365, 320), ("CB8", 52210, 430), ("CB9", 52085, 440), ("CB10", 52030, 240)),
    *(("CB11", 51990, 190), ("CB21", 52135, 275), ("CB22", 52125, 140), ("CB23", 52200, -30), ("CB24", 52285, 85)),
    *(("CB25", 52260, 235), ("PE1", 52585, -232), ("PE2", 52555, -262), ("PE3", 52585, -285), ("PE4", 52620, -255)),
    *(("PE7", 52530, -195), ("PE13", 52660, 160), ("PE14", 52635, 200), ("PE15", 52545, 85), ("PE16", 52455, 45)),
    *(("PE19", 52225, -265), ("PE26", 52450, -110), ("PE27", 52330, -75), ("PE28", 52345, -260), ("PE29", 52335, -180)),
    *(("SG8", 52050, -20), ("SG19", 52135, -240), ("EC3N", 51510, -76), ("SE10", 51482, 5), ("SW7", 51496, -176)),
    *(("CF5", 51487, -240 - 3000), ("NR1", 52622, 1305), ("IP33", 52240, 710)),
)


class Giving(Struct, frozen=True, kw_only=True):
    """A project and its weekly session: on which day (0 is Monday), from when (minutes after midnight), how long."""

    name: str
    alias: str
    day: int
    begins: int
    minutes: int
    title: str
    description: str
    place: str | None
    district: str | None
    tags: tuple[str, ...]
    kind: Kind = Kind.WEEKLY
    referral: Referral = Referral.NONE
    prerequisites: str = ""
    joining_pence: int = 0
    donation_note: str = ""
    tea: bool = False
    """Whether people also come for the company alone: 0 minutes, which is fine."""


PROJECTS: Final = (
    Giving(
        name="Mill Road Repair Cafe",
        alias="Saturday menders",
        day=5,
        begins=600,
        minutes=180,
        title="Mend things, or make the tea",
        description="Lamps, zips, toasters and bicycles come in broken, and most of them leave mended. If you can't "
        "mend, you can welcome people, or put the kettle on.",
        place="St Barnabas hall, Mill Road",
        district="CB1",
        tags=("refreshments", "no_experience_needed", "on_a_bus_route", "step_free"),
    ),
    Giving(
        name="Ely Shed for Men and Friends",
        alias="The workshop",
        day=1,
        begins=600,
        minutes=180,
        title="Shoulder to shoulder at the bench",
        description="Bird boxes, benches for the school, a model railway that is never finished. An induction to the "
        "tools comes first. Just tea is fine too.",
        place="Unit 4, Fore Hill yard",
        district="CB7",
        tags=("refreshments", "step_free", "accessible_toilet", "same_time_each_week"),
        prerequisites="An induction to the tools, on your first morning.",
        tea=True,
    ),
    Giving(
        name="Side by Side mental health mentoring",
        alias="The walking pairs",
        day=3,
        begins=840,
        minutes=120,
        title="Walk with somebody, once a week",
        description="Two people, a path along the river, and as many words as you both like. You are trained first, "
        "and a worker is there for both of you.",
        place="We meet at the lock",
        district="CB4",
        tags=("outdoors", "buddy", "same_time_each_week"),
        referral=Referral.NEEDED,
        prerequisites="Two training evenings, and a check that we pay for.",
    ),
    Giving(
        name="Open Door drop-in for people without a home",
        alias="The garden room",
        day=0,
        begins=570,
        minutes=180,
        title="A warm morning: serve, sit, listen",
        description="Breakfast, showers and a place to sit, for anybody. Nobody is asked why they came, and you are "
        "never on your own.",
        place="The garden room, Victoria Street",
        district="CB1",
        tags=("refreshments", "step_free", "accessible_toilet", "buddy", "on_a_bus_route"),
    ),
    Giving(
        name="Friends of the Cam: river clean-up",
        alias="By the river",
        day=6,
        begins=600,
        minutes=180,
        title="Litter picks and boats, by the river",
        description="From the bank or from a canoe; we have gloves, and dry socks. Children come with somebody grown "
        "up.",
        place="Jesus Green lock",
        district="CB4",
        tags=("outdoors", "low_talk", "children_welcome", "no_experience_needed"),
    ),
    Giving(
        name="Evening listening line",
        alias="The switchboard",
        day=2,
        begins=1080,
        minutes=180,
        title="Be at the other end of the line",
        description="People ring who would like to hear a voice. You are trained, and never alone in the room.",
        place="The Exchange, Histon Road",
        district="CB4",
        tags=("seated", "refreshments", "on_a_bus_route", "same_time_each_week"),
        prerequisites="Six training evenings.",
    ),
    Giving(
        name="Romsey community garden",
        alias="The allotment",
        day=4,
        begins=600,
        minutes=120,
        title="Dig, sow, or water for a quarter of an hour",
        description="Raised beds that can be reached from a chair, and a bench that sees the sun until four.",
        place="Behind the Argyle Street co-op houses",
        district="CB1",
        tags=("outdoors", "low_talk", "fifteen_minutes", "quiet", "seated", "step_free"),
        tea=True,
    ),
    Giving(
        name="Huntingdon recovery choir",
        alias="The Thursday singers",
        day=3,
        begins=1110,
        minutes=120,
        title="Chairs, tea and second voices",
        description="Set out the chairs, sing if you like. No audition; nobody sings alone.",
        place="The methodist hall, High Street",
        district="PE29",
        tags=("refreshments", "seated", "step_free", "no_experience_needed"),
    ),
    Giving(
        name="Wisbech food pantry",
        alias="The corner cupboard",
        day=4,
        begins=840,
        minutes=180,
        title="Pack, carry, or drive a round",
        description="The van comes at two. Some pack, some carry, some chat at the door; say which you would rather.",
        place="The Institute, Hill Street",
        district="PE13",
        tags=("low_talk", "no_experience_needed", "step_free"),
    ),
    Giving(
        name="March toy and book library",
        alias="The play shelf",
        day=2,
        begins=570,
        minutes=120,
        title="Lend toys, read a story",
        description="Families borrow toys for a fortnight. Count the pieces, wipe the bricks, read aloud if you enjoy "
        "it.",
        place="March library",
        district="PE15",
        tags=("children_welcome", "seated", "step_free", "accessible_toilet"),
    ),
    Giving(
        name="St Ives memory cafe",
        alias="Tea at three",
        day=1,
        begins=870,
        minutes=120,
        title="Cake, songs and old photographs",
        description="For people whose memory is leaving them, and whoever is at their side. Come to help, or with "
        "them.",
        place="The Corn Exchange",
        district="PE27",
        tags=("refreshments", "seated", "step_free", "accessible_toilet", "buddy"),
        tea=True,
    ),
    Giving(
        name="Digital first steps, online",
        alias="Screen time",
        day=0,
        begins=1080,
        minutes=90,
        title="Help somebody send their first picture",
        description="From your own sofa: one learner, one hour, one thing at a time.",
        place=None,
        district=None,
        tags=("seated", "no_experience_needed", "quiet"),
        kind=Kind.ONLINE,
    ),
    Giving(
        name="Make Do And Mend sewing room",
        alias="Needle and thread",
        day=5,
        begins=840,
        minutes=120,
        title="Sew with us, or wind the bobbins",
        description="Machines, mending and a big table. Joining is £10, or nothing if that is hard: say so to anybody.",
        place="The old school, St Neots",
        district="PE19",
        tags=("seated", "quiet", "refreshments", "fifteen_minutes", "children_welcome"),
        referral=Referral.SELF_OR_REFERRED,
        joining_pence=1000,
        donation_note="Fabric and buttons are always welcome.",
    ),
)
