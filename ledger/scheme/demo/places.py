"""Where credits are spent, and for what: from the pool down the road to a national museum. All of it is made up."""

from typing import Final

from msgspec import Struct

from ledger.scheme.offers import Details
from ledger.scheme.sites import Place
from ledger.scheme.terms import Kind, Reach, Terms
from ledger.scheme.windows import DAYS, Closes, Day, Opens, Window

_WEEK: Final[tuple[Day, ...]] = DAYS[:5]


def _open(days: tuple[Day, ...], opens: Opens, closes: Closes) -> tuple[Window, ...]:
    return (Window(days=days, opens=opens, closes=closes),)


class Times(Struct, frozen=True, kw_only=True):
    """When a show or a course is: each week on a day (0 is Monday), from when and how long, and with how many places.

    ``from_week`` and ``weeks`` are counted from the one in which the county begins; today lies in the fourteenth.
    """

    day: int
    begins: int
    minutes: int
    places: int
    from_week: int = 0
    weeks: int = 18


class Offering(Struct, frozen=True, kw_only=True):
    """An offer, at which of its venue's sites, and how often it is chosen against the others."""

    details: Details
    site: int | None = 0
    times: Times | None = None
    liked: int = 2
    paused: bool = False


class Spending(Struct, frozen=True, kw_only=True):
    """A venue with its sites and offers."""

    name: str
    sites: tuple[Place, ...]
    offerings: tuple[Offering, ...]


VENUES: Final = (
    Spending(
        name="Parkside Pool",
        sites=(Place(name="Parkside Pool", address="Gonville Place, Cambridge", postcode="CB1 1LY", step_free=True),),
        offerings=(
            Offering(
                details=Details(
                    title="A swim",
                    price=60,
                    description="Any public session, in the big pool or the warm one.",
                    expect="Say your first name at the desk and show your card: that is all. Lockers take a £1 coin "
                    "and give it back. There is a hoist, and steps with a rail. Ten minutes in the water is a swim "
                    "too.",
                    terms=Terms(quota=400, child_price=30, young_price=0, companion_free=True, low_talk=True),
                ),
                liked=9,
            ),
            Offering(
                details=Details(
                    title="Off-peak family swim",
                    price=60,
                    description="The warm pool with the floats out, when it is quiet.",
                    expect="On Tuesdays before noon there is no music, and the lights are low. Armbands can be "
                    "borrowed.",
                    terms=Terms(
                        windows=(*_open(_WEEK, "10:00", "16:00"), *_open(("sun",), "14:00", "18:00")),
                        quiet=_open(("tue",), "10:00", "12:00"),
                        quota=120,
                        child_price=60,
                        young_price=30,
                        visit_minutes=240,
                    ),
                ),
                liked=5,
            ),
            Offering(
                details=Details(
                    title="Health suite",
                    price=90,
                    description="Sauna, steam room and a plunge pool.",
                    expect="Swimwear is worn. Towels are on the shelf, and a jug of water by the door.",
                    terms=Terms(from_years=16, quota=60, month_minutes=360, windows=_open(_WEEK, "09:00", "17:00")),
                ),
            ),
        ),
    ),
    Spending(
        name="Abbey Leisure Centre",
        sites=(
            Place(name="Abbey Leisure Centre", address="Whitehill Road, Cambridge", postcode="CB5 8NT", step_free=True),
            Place(name="The courts", address="Coldham's Common, Cambridge", postcode="CB5 8NS", step_free=False),
        ),
        offerings=(
            Offering(
                details=Details(
                    title="The gym, an hour",
                    price=60,
                    description="All machines; somebody is there to ask.",
                    expect="It is quietest after lunch. Nobody looks; everybody was new once.",
                    terms=Terms(from_years=16, requires=("gym_induction",), quota=150, month_minutes=720),
                ),
                liked=4,
            ),
            Offering(
                details=Details(
                    title="A badminton court, an hour",
                    price=120,
                    description="A court for up to four; rackets are lent.",
                    expect="Courts are up one flight of stairs. Shuttlecocks are in the drawer under the desk.",
                    terms=Terms(people=4, child_price=0, quota=40, windows=_open(DAYS, "08:00", "22:00")),
                ),
                site=1,
            ),
        ),
    ),
    Spending(
        name="Corner Theatre",
        sites=(
            Place(name="Corner Theatre", address="St Edward's Passage, Cambridge", postcode="CB2 3PL", step_free=True),
        ),
        offerings=(
            Offering(
                details=Details(
                    title="A seat on a Tuesday",
                    price=120,
                    kind=Kind.SHOW,
                    description="Whatever is on, in the stalls.",
                    expect="Come by the side door if the foyer is too full: ring, and somebody lets you in. You may "
                    "leave and come back at any time.",
                    terms=Terms(booking_needed=True, companion_free=True, cancel_minutes=1440, people=4),
                ),
                times=Times(day=1, begins=1170, minutes=130, places=10),
                liked=5,
            ),
            Offering(
                details=Details(
                    title="Relaxed matinee",
                    price=90,
                    kind=Kind.SHOW,
                    description="The same play with the lights half up. Move, talk, go out: it is all fine.",
                    expect="There is a quiet room with cushions, and a picture story of the visit on our pages.",
                    terms=Terms(
                        booking_needed=True,
                        companion_free=True,
                        child_price=45,
                        quiet=_open(("sat",), "13:00", "17:00"),
                    ),
                ),
                times=Times(day=5, begins=840, minutes=120, places=12),
            ),
            Offering(
                details=Details(
                    title="A tour backstage",
                    price=60,
                    description="Ropes, trapdoors, the wig room.",
                    expect="Three ladders and some dark corners; the guide goes first with a lamp.",
                    terms=Terms(
                        booking_needed=True, ahead_minutes=1440, windows=_open(("wed", "fri"), "11:00", "12:30")
                    ),
                ),
                liked=0,
            ),
        ),
    ),
    Spending(
        name="Fenland Pictures",
        sites=(
            Place(
                name="Cambridge screens", address="St Andrew's Street, Cambridge", postcode="CB2 3AR", step_free=True
            ),
            Place(name="Ely screens", address="Market Street, Ely", postcode="CB7 4LS", step_free=True),
        ),
        offerings=(
            Offering(
                details=Details(
                    title="A film before five",
                    price=60,
                    reach=Reach.COUNTY,
                    description="Any film that begins before five, at either house.",
                    expect="Seats by the aisle are kept for whoever needs them. Adverts run for twenty minutes: come "
                    "late if you like.",
                    terms=Terms(windows=_open(_WEEK, "11:00", "17:00"), quota=160, companion_free=True, low_talk=True),
                ),
                site=None,
                liked=6,
            ),
            Offering(
                details=Details(
                    title="Silver screen with subtitles",
                    price=60,
                    reach=Reach.COUNTY,
                    description="A good old film on Thursday mornings, with subtitles and biscuits.",
                    expect="Doors at half past ten. People talk before the film, or don't.",
                    terms=Terms(windows=_open(("thu",), "10:00", "14:30"), from_years=18),
                ),
                liked=4,
            ),
        ),
    ),
    Spending(
        name="Adult Learning Centre",
        sites=(
            Place(name="Adult Learning Centre", address="Arbury Court, Cambridge", postcode="CB4 2JQ", step_free=True),
        ),
        offerings=(
            Offering(
                details=Details(
                    title="Pottery, six evenings",
                    price=60,
                    kind=Kind.COURSE,
                    description="From a lump of clay to a bowl with a glaze. All six evenings are booked together.",
                    expect="Old clothes; aprons and clay are there. The wheel can be used from a wheelchair.",
                    terms=Terms(from_years=16, people=6),
                ),
                times=Times(day=2, begins=1110, minutes=120, places=12, from_week=10, weeks=6),
            ),
            Offering(
                details=Details(
                    title="Watercolours, six evenings",
                    price=60,
                    kind=Kind.COURSE,
                    description="Skies first: they forgive the most.",
                    expect="Paper, brushes and paint are there. Nobody has to show what they made.",
                    terms=Terms(people=6),
                ),
                times=Times(day=0, begins=1110, minutes=120, places=12, from_week=15, weeks=6),
            ),
            Offering(
                details=Details(
                    title="First steps in Welsh",
                    price=60,
                    description="An hour of songs and small talk. Drop in any week.",
                    expect="Sit at the back and listen as long as you like. Croeso!",
                    terms=Terms(windows=_open(("wed", "thu"), "18:30", "20:30"), quota=60),
                ),
            ),
        ),
    ),
    Spending(
        name="Riverside Gallery",
        sites=(Place(name="Riverside Gallery", address="Waterside, Ely", postcode="CB7 4AU", step_free=True),),
        offerings=(
            Offering(
                details=Details(
                    title="The gallery, for as long as you like",
                    price=30,
                    description="Paintings of the fen, and a window on the river.",
                    expect="There are chairs in every room, and nobody hurries you. On Mondays it is almost empty.",
                    terms=Terms(
                        windows=_open(DAYS, "10:00", "17:00"), companion_free=True, low_talk=True, young_price=0
                    ),
                ),
                liked=4,
            ),
            Offering(
                details=Details(
                    title="Life drawing",
                    price=120,
                    description="Two hours with a model; easels and charcoal are there.",
                    expect="Come and go between poses. Beginners sit where they like.",
                    terms=Terms(from_years=18, quota=20, windows=_open(("tue", "fri"), "18:30", "21:00")),
                ),
                liked=1,
            ),
        ),
    ),
    Spending(
        name="Huntingdon Leisure Centre",
        sites=(Place(name="Huntingdon", address="St Peter's Road, Huntingdon", postcode="PE29 7DA", step_free=True),),
        offerings=(
            Offering(
                details=Details(
                    title="A lane and a shower",
                    price=60,
                    reach=Reach.COUNTY,
                    description="Swim lengths, or stand under the hot water for as long as you like.",
                    expect="Family changing rooms lock from the inside. The slow lane is the one by the wall.",
                    terms=Terms(quota=200, child_price=30, young_price=0, low_talk=True),
                ),
                liked=5,
            ),
            Offering(
                details=Details(
                    title="Seated tai chi",
                    price=60,
                    description="Slow, on chairs, with music that is hardly there.",
                    expect="You needn't talk, and you needn't keep up.",
                    terms=Terms(windows=_open(("mon", "wed"), "14:00", "15:30"), quota=50, low_talk=True),
                ),
            ),
        ),
    ),
    Spending(
        name="The Climbing Barn",
        sites=(Place(name="The Climbing Barn", address="Meadow Lane, St Ives", postcode="PE27 4LG", step_free=False),),
        offerings=(
            Offering(
                details=Details(
                    title="Family climb",
                    price=90,
                    description="An instructor, ropes, and walls for every size.",
                    expect="Shoes are lent. Going up one metre counts.",
                    terms=Terms(
                        child_price=60, young_price=60, people=6, windows=_open(("sat", "sun"), "09:30", "18:00")
                    ),
                ),
            ),
            Offering(
                details=Details(
                    title="Bouldering for under-18s",
                    price=60,
                    description="Low walls, thick mats, Friday nights.",
                    expect="Bring socks. Somebody grown up stays in the barn; there is a sofa for them.",
                    terms=Terms(below_years=18, windows=_open(("fri",), "17:00", "20:00")),
                ),
                liked=0,
            ),
        ),
    ),
    Spending(
        name="Wisbech Playhouse",
        sites=(
            Place(name="Wisbech Playhouse", address="Alexandra Road, Wisbech", postcode="PE13 1HQ", step_free=True),
        ),
        offerings=(
            Offering(
                details=Details(
                    title="A seat at the playhouse",
                    price=120,
                    kind=Kind.SHOW,
                    reach=Reach.COUNTY,
                    description="Friday nights: plays, brass bands, the odd magician.",
                    expect="The bar sells squash, too. Ask for a seat near the door if you would like one.",
                    terms=Terms(booking_needed=True, child_price=60, companion_free=True),
                ),
                times=Times(day=4, begins=1170, minutes=120, places=8),
                liked=3,
            ),
        ),
    ),
    Spending(
        name="March Railway Museum",
        sites=(Place(name="March Railway Museum", address="Station Road, March", postcode="PE15 8SJ", step_free=True),),
        offerings=(
            Offering(
                details=Details(
                    title="A day among engines",
                    price=30,
                    description="Climb on everything; the signal box works.",
                    expect="Ear defenders hang by the door. On the first Sunday the whistles stay quiet all day.",
                    terms=Terms(windows=_open(("wed", "sat", "sun"), "10:00", "16:00"), young_price=0),
                ),
                liked=3,
            ),
        ),
    ),
    Spending(
        name="Peterborough Ice Rink",
        sites=(
            Place(
                name="Peterborough Ice Rink", address="Bretton Way, Peterborough", postcode="PE3 8DX", step_free=True
            ),
        ),
        offerings=(
            Offering(
                details=Details(
                    title="Skating on a weekday",
                    price=60,
                    reach=Reach.COUNTY,
                    description="Skates, and a penguin to hold on to.",
                    expect="Wheelchairs go on the ice. Gloves can be borrowed.",
                    terms=Terms(windows=_open(_WEEK, "10:00", "18:00"), child_price=60, quota=100),
                ),
                liked=3,
            ),
            Offering(
                details=Details(
                    title="Quiet skate",
                    price=60,
                    reach=Reach.COUNTY,
                    description="No music, no coloured lights, forty people at most.",
                    expect="Come early, and walk round once before it begins.",
                    terms=Terms(
                        windows=_open(("sun",), "09:00", "11:00"),
                        quiet=_open(("sun",), "09:00", "11:00"),
                        companion_free=True,
                    ),
                ),
            ),
        ),
    ),
    Spending(
        name="Fen Farm Park",
        sites=(
            Place(name="Fen Farm Park", address="Old North Road, near Royston", postcode="SG8 5AB", step_free=True),
        ),
        offerings=(
            Offering(
                details=Details(
                    title="Farm and gardens for a day",
                    price=90,
                    reach=Reach.COUNTY,
                    description="Shire horses, walled garden, a lot of mud.",
                    expect="Two scooters can be borrowed at the gate. Wellingtons are wise.",
                    terms=Terms(windows=_open(DAYS, "10:00", "16:30"), child_price=30, young_price=0, quota=120),
                ),
                liked=4,
            ),
            Offering(
                details=Details(
                    title="An hour with the horses",
                    price=60,
                    description="Brush, feed, lead. They are very large and very kind.",
                    expect="One family at a time, with the groom. Nothing is said if you only watch.",
                    terms=Terms(booking_needed=True, ahead_minutes=2880, cancel_minutes=1440, people=5),
                ),
                liked=0,
                paused=True,
            ),
        ),
    ),
    Spending(
        name="St Neots Rowing Club",
        sites=(Place(name="The boathouse", address="Priory Lane, St Neots", postcode="PE19 2BH", step_free=True),),
        offerings=(
            Offering(
                details=Details(
                    title="A first hour in a boat",
                    price=90,
                    description="Four oars, one coach, flat water.",
                    expect="You will get a little wet. One boat has a fixed seat with a back; ask for it at the "
                    "slipway.",
                    terms=Terms(windows=_open(("sat",), "09:00", "12:30"), from_years=16, quota=24),
                ),
            ),
            Offering(
                details=Details(
                    title="Rowing indoors, for hearts and hips",
                    price=60,
                    description="Machines by the window, with a nurse at hand.",
                    expect="Five minutes is a good start. There is tea, and most people stay for it.",
                    terms=Terms(windows=_open(("mon", "thu"), "14:00", "16:00"), from_years=18),
                ),
            ),
        ),
    ),
    Spending(
        name="The Fen Tower",
        sites=(Place(name="The Fen Tower", address="The Gallery, Ely", postcode="CB7 4DL", step_free=False),),
        offerings=(
            Offering(
                details=Details(
                    title="Up the tower",
                    price=60,
                    reach=Reach.COUNTY,
                    description="288 steps, and the whole of the fen.",
                    expect="Three places to rest on the way. Who would rather stay below is shown the organ.",
                    terms=Terms(windows=_open(("mon", "wed", "sat"), "10:30", "15:30"), from_years=8, quota=60),
                ),
            ),
        ),
    ),
    Spending(
        name="National Museum of Rivers",
        sites=(Place(name="Greenwich", address="Romney Road, London", postcode="SE10 9NF", step_free=True),),
        offerings=(
            Offering(
                details=Details(
                    title="A day ticket with the special exhibition",
                    price=120,
                    kind=Kind.TICKET,
                    reach=Reach.NATIONAL,
                    description="Boats, bridges, floods and the people who lived with them.",
                    expect="Come in by the east door: no queue, no steps. Hearing loops throughout, and a map of the "
                    "quiet corners.",
                    terms=Terms(
                        booking_needed=True,
                        ahead_minutes=4320,
                        quota=80,
                        child_price=0,
                        young_price=0,
                        companion_free=True,
                        low_talk=True,
                        windows=_open(DAYS, "10:00", "17:00"),
                    ),
                ),
                liked=4,
            ),
            Offering(
                details=Details(
                    title="Museum late",
                    price=120,
                    kind=Kind.TICKET,
                    reach=Reach.NATIONAL,
                    description="Thursday evenings after closing time, with music on the stairs.",
                    expect="It is lively. A wristband lets you out for air, and in again.",
                    terms=Terms(
                        booking_needed=True,
                        ahead_minutes=4320,
                        from_years=18,
                        quota=40,
                        windows=_open(("thu",), "18:00", "22:00"),
                    ),
                ),
                liked=1,
            ),
        ),
    ),
    Spending(
        name="The Old Fortress",
        sites=(Place(name="The Old Fortress", address="Tower Hill, London", postcode="EC3N 4AB", step_free=False),),
        offerings=(
            Offering(
                details=Details(
                    title="A ticket for one day",
                    price=180,
                    kind=Kind.TICKET,
                    reach=Reach.NATIONAL,
                    description="A thousand years of walls, and what was kept inside them.",
                    expect="Cobbles and spiral stairs; the ravens and the lawn need neither. Show your booking code at "
                    "the west gate, at the window on the left.",
                    terms=Terms(
                        booking_needed=True,
                        ahead_minutes=10_080,
                        cancel_minutes=2880,
                        quota=40,
                        child_price=90,
                        young_price=0,
                        windows=_open(DAYS, "09:00", "17:30"),
                    ),
                ),
                liked=2,
            ),
        ),
    ),
    Spending(
        name="Museum of Village Life",
        sites=(Place(name="St Fagans road", address="near Cardiff", postcode="CF5 6XB", step_free=True),),
        offerings=(
            Offering(
                details=Details(
                    title="A day in the village",
                    price=60,
                    kind=Kind.TICKET,
                    reach=Reach.NATIONAL,
                    description="Forty houses from all over Wales, with their fires lit.",
                    expect="Large grounds: a little train goes round every quarter of an hour. Croeso cynnes i bawb.",
                    terms=Terms(booking_needed=True, ahead_minutes=1440, windows=_open(DAYS, "10:00", "16:00")),
                ),
                liked=1,
            ),
        ),
    ),
)
