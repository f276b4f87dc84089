/** What differs between kinds of input: how they are given, shown and imported, and an example to try. */

import { DrawingEntry } from "./drawing.js";
import { JsonEntry, NumberEntry } from "./numbers.js";
import { PhotoEntry } from "./photo.js";
import { PicturePool, RowPool, TextPool } from "./pool.js";
import { Ink, Json, Numbers, Picture, Row, Text } from "./shown.js";
import { RowEntry } from "./table.js";
import { TextEntry } from "./text.js";

const made = ({ default: make }) => make();

const KINDS = {
  drawing: {
    title: "Drawings",
    of: "signs, letters, symbols",
    noun: "drawing",
    Entry: DrawingEntry,
    Pool: PicturePool("drawing"),
    Shown: Picture,
    Stored: Ink,
    live: "It answers as you draw.",
    start: "Draw a sign, name it, and press Teach. Two different names are enough to ask.",
    sample: { title: "five signs", load: () => import("../samples/signs.js").then(made) },
  },
  text: {
    title: "Texts",
    of: "tickets, sentences",
    noun: "text",
    Entry: TextEntry,
    Pool: TextPool,
    Shown: Text,
    imports: "text",
    start: "Type a sentence, name its class, and press Teach. Two different names are enough to ask.",
    sample: { title: "six sentences to a shop", load: () => import("../samples/texts.js").then(made) },
  },
  photo: {
    title: "Photos",
    of: "products, things, places",
    noun: "photo",
    Entry: PhotoEntry,
    Pool: PicturePool("photo"),
    Shown: Picture,
    live: "It answers at once.",
    start: "Drop photos of one thing, name it, and press Teach. Two different names are enough to ask.",
    sample: { title: "four fruits and vegetables", load: () => import("../samples/photos.js").then(made) },
  },
  table: {
    title: "Tables",
    of: "rows with any columns",
    noun: "row",
    Entry: RowEntry,
    Pool: RowPool,
    Shown: Row,
    imports: "table",
    start: "Paste rows with a header from a spreadsheet. One column is what the model shall learn to tell.",
    sample: { title: "twenty customers", load: () => import("../samples/table.js").then(made) },
  },
  vector: {
    title: "Numbers",
    of: "points of a curve",
    noun: "point",
    Entry: NumberEntry,
    Shown: Numbers,
    start: "Give a number and its value. One point is enough to ask; five are better.",
    sample: { title: "five points of a wave", load: () => import("../samples/points.js").then(made) },
  },
};

/** The kind of this name. A kind that the page does not know is given as JSON. */
export const kindOf = (name) =>
  KINDS[name] ?? {
    title: name,
    of: "as JSON",
    noun: "input",
    Entry: JsonEntry,
    Shown: Json,
    start: "Give an input as JSON, name it, and press Teach.",
  };

/** An example is of classes or of numbers, as the model is. */
export const sampleOf = (kind, model) =>
  (kind === kindOf("vector")) === (model.kind === "regression") ? kind.sample : undefined;
