"""Sentences that stand for "anything": what a query's similarity is held against.

How similar a sentence and a frame of it are differs between encoders, and between videos. The
similarity of unrelated everyday sentences to the same video says where "nothing of the kind" lies.
"""

from __future__ import annotations

BACKGROUND = (
    "a person walks down a street",
    "a dog runs on the grass",
    "a car drives along a road",
    "people sit at a table and eat",
    "a child plays in a park",
    "a woman talks to the camera",
    "a man works at a desk",
    "a plate of food on a table",
    "a boat on the water",
    "a crowd watches a game",
    "a bird in a tree",
    "a room with a sofa and a window",
    "snow on a mountain",
    "a building in a city",
    "a hand holds a small object",
    "a singer on a stage",
    "a horse in a field",
    "a kitchen with a stove",
    "an airplane in the sky",
    "waves on a beach",
    "a screen with text on it",
    "two people shake hands",
    "a bicycle leans on a wall",
    "a train at a station",
    "flowers in a garden",
    "a person cuts vegetables",
    "a shop with many things on its shelves",
    "a ball on a field",
    "a night street with lights",
    "a map of a country",
    "an old man reads a book",
    "a machine in a factory",
)
