/** What the page knows of one client, and of the model that it is taught to. Nothing here is changed in place. */

export function newLesson(models, clientId = newClientId()) {
  return {
    clientId,
    models, // the cards of all models that take these inputs
    model: models[0],
    version: 0, // 0: the server does not know the client yet
    classes: [], // null for regression
    several: false, // whether an example may have several labels
    count: 0,
    examples: [], // the first ones, with their inputs
    cursor: null, // of the examples that are not shown
    past: [], // versions to go back to, the latest last
    asked: null, // the input that was asked last
    answer: null,
    pool: [], // inputs without labels
    suggested: [], // those of the pool that are to be labelled next, {input, guess}
    tests: [], // labelled queries
    quality: null,
    evaluation: null,
    warnings: [],
  };
}

export function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return `playground-${Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("")}`;
}

export const isRegression = (lesson) => lesson.model.kind === "regression";

/** Whether the model can answer: it needs two classes, one where an example may have several, or one point of a
 * regression. */
export const canAnswer = (lesson) =>
  isRegression(lesson) ? lesson.count > 0 : lesson.classes.length > (lesson.several ? 0 : 1);

/** The label that a person typed, in the type that the client's labels have. */
export function labelOf(lesson, text) {
  const trimmed = text.trim();
  const numeric = isRegression(lesson) || Number.isInteger(lesson.classes?.[0]);
  return numeric && trimmed !== "" && Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}

/** What a person says about an input: the typed text, and the labels that were pressed where there may be several. */
export const UNNAMED = { text: "", pressed: [] };

/** The same as the label of an example. Several labels are a Set; typed ones are separated by commas. */
export function labelFrom(lesson, { text, pressed = [] }) {
  if (!lesson.several) return labelOf(lesson, text);
  const typed = text.split(",").filter((each) => each.trim());
  return new Set([...pressed, ...typed.map((each) => labelOf(lesson, each))]);
}

/** Whether the model learns from inputs without labels. It answers them itself, so it needs classes to answer with. */
export const learnsUnlabelled = (lesson) =>
  lesson.model.weighted_examples && !isRegression(lesson) && !lesson.several && canAnswer(lesson);

/** The labels of an example: one unless there may be several, none if it has no label. */
export const labelsOf = ({ label, labels = label === undefined ? [] : [label] }) => [...labels];

/** The examples by class, in the order of the classes, then those without a label; of a regression in one group. */
export function byClass(lesson) {
  if (isRegression(lesson)) return lesson.count ? [[null, lesson.examples]] : [];
  const groups = lesson.classes.map((label) => [
    label,
    lesson.examples.filter((each) => labelsOf(each).includes(label)),
  ]);
  const others = lesson.examples.filter((each) => !labelsOf(each).length);
  return others.length ? [...groups, [null, others]] : groups;
}

const ORDER = ["drawing", "text", "photo", "table", "vector"];

/** The models by the kind of input that they take, well-known kinds first. */
export function modelsByKind(cards) {
  const kinds = new Map();
  for (const card of cards) kinds.set(card.input.type, [...(kinds.get(card.input.type) ?? []), card]);
  const place = (kind) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
  return new Map([...kinds].sort(([a], [b]) => place(a) - place(b)).map(([kind, models]) => [kind, bestFirst(models)]));
}

/** A model with the shortest name is the one that the others are variants of. */
const bestFirst = (models) => [...models].sort((a, b) => a.name.length - b.name.length || a.name.localeCompare(b.name));
