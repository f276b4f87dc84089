/** What the page knows of one client, and of the model that it is taught to. Nothing here is changed in place. */

export function newLesson(models, clientId = newClientId()) {
  return {
    clientId,
    models, // the cards of all models that take these inputs
    model: models[0],
    version: 0, // 0: the server does not know the client yet
    classes: [], // null for regression
    count: 0,
    examples: [], // the first ones, with their inputs
    cursor: null, // of the examples that are not shown
    past: [], // versions to go back to, the latest last
    asked: null, // the input that was asked last
    answer: null,
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

/** Whether the model can answer: it needs two classes, or one point of a regression. */
export const canAnswer = (lesson) => (isRegression(lesson) ? lesson.count > 0 : lesson.classes.length > 1);

/** The label that a person typed, in the type that the client's labels have. */
export function labelOf(lesson, text) {
  const trimmed = text.trim();
  const numeric = isRegression(lesson) || Number.isInteger(lesson.classes?.[0]);
  return numeric && trimmed !== "" && Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}

/** The examples by class, in the order of the classes; of a regression in one group. */
export function byClass(lesson) {
  if (isRegression(lesson)) return lesson.count ? [[null, lesson.examples]] : [];
  return lesson.classes.map((label) => [label, lesson.examples.filter((example) => example.label === label)]);
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
