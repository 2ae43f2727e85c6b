"""Names of classes: COCO's 80, Pascal VOC's 20, and synonyms. Only data; `classes` uses them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_COCO = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, "
    "parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, "
    "handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, "
    "surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, "
    "broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, "
    "mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, "
    "teddy bear, hair drier, toothbrush"
)
COCO: tuple[str, ...] = tuple(_COCO.split(", "))
_SAME = "person bicycle car bus train boat bird cat dog horse sheep cow bottle chair"

# VOC's classes, each by its COCO name, in COCO's order.
VOC: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in _SAME.split()},
        "motorcycle": "motorbike",
        "airplane": "aeroplane",
        "couch": "sofa",
        "potted plant": "potted plant",
        "dining table": "dining table",
        "tv": "tv monitor",
    }
)

SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        "person": "human, man, woman, guy, gal, dude, bloke, gentleman, lady, boy, girl, child, kid, toddler, baby, "
        "infant, teenager, adult, people, couple, crowd, player, batter, catcher, umpire, referee, rider, skier, "
        "snowboarder, surfer, skateboarder, skater, cyclist, biker, driver, pedestrian, policeman, cop, officer, "
        "chef, waiter, waitress, bride, groom, mother, mom, father, dad, grandma, grandpa, sister, brother, son, "
        "daughter, friend, worker, soldier, farmer, athlete, lad, he, she, him, her",
        "bicycle": "bike, cycle",
        "car": "automobile, sedan, suv, taxi, cab, minivan, jeep, hatchback",
        "motorcycle": "motorbike, motor bike, moped, scooter",
        "airplane": "aeroplane, plane, jet, aircraft, airliner",
        "bus": "coach, double decker",
        "train": "locomotive, tram, railcar",
        "truck": "lorry, pickup, fire engine, van",
        "boat": "ship, sailboat, canoe, kayak, ferry, yacht, dinghy",
        "traffic light": "stoplight, traffic signal, stop light",
        "fire hydrant": "hydrant",
        "stop sign": "stopsign",
        "bird": "duck, goose, seagull, gull, pigeon, parrot, owl, swan, chicken, eagle",
        "cat": "kitten, kitty",
        "dog": "puppy, pup, hound",
        "horse": "pony, foal, colt",
        "sheep": "lamb, ram, ewe",
        "cow": "cattle, calf, bull, ox, heifer",
        "bear": "cub, polar bear",
        "backpack": "rucksack, knapsack",
        "umbrella": "parasol",
        "handbag": "purse",
        "tie": "necktie",
        "suitcase": "luggage",
        "frisbee": "disc",
        "skis": "ski",
        "sports ball": "ball, baseball, football, tennis ball, soccer ball, basketball",
        "baseball bat": "bat",
        "baseball glove": "mitt, catcher's mitt",
        "tennis racket": "racket, racquet, tennis racquet",
        "wine glass": "wineglass, glass of wine",
        "cup": "mug, teacup",
        "sandwich": "burger, hamburger, sub",
        "hot dog": "hotdog",
        "donut": "doughnut",
        "cake": "cupcake",
        "chair": "armchair, stool, recliner",
        "couch": "sofa, loveseat, settee",
        "potted plant": "plant, houseplant, pot plant",
        "dining table": "table",
        "toilet": "urinal",
        "tv": "television, monitor, tv screen, tv monitor",
        "laptop": "notebook computer",
        "remote": "remote control, controller",
        "cell phone": "phone, cellphone, mobile, smartphone",
        "oven": "stove",
        "refrigerator": "fridge",
        "teddy bear": "teddy, stuffed bear",
        "hair drier": "hair dryer, hairdryer",
    }
)

# Irregular plurals. Some words are their own plural.
PLURALS: Mapping[str, str] = MappingProxyType(
    {
        "person": "persons", "man": "men", "woman": "women", "gentleman": "gentlemen", "policeman": "policemen",
        "child": "children", "mouse": "mice", "knife": "knives", "calf": "calves", "goose": "geese", "ox": "oxen",
        "sheep": "sheep", "people": "people", "cattle": "cattle", "aircraft": "aircraft", "luggage": "luggage",
        "broccoli": "broccoli", "skis": "skis", "scissors": "scissors", "bus": "buses", "he": "he", "she": "she",
        "him": "him", "her": "her", "wine": "wine",
    }
)  # fmt: skip
