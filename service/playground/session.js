/** The state of the page, and all that it asks of the server. Knows nothing of how the page looks. */

import { Asking } from "./asking.js";
import { canAnswer, modelsByKind, newLesson } from "./lesson.js";
import { textOf, unlessUnknown } from "./problems.js";
import { adapt, correct } from "./teaching.js";

const PAGE = 200; // examples that are shown at first
const SUGGESTED = 5; // inputs to label in one go
const UNWRITABLE = (label) => ["", ".", ".."].includes(String(label)) || String(label).endsWith("/");

export class Session {
  kinds = new Map(); // the models by kind of input
  lessons = {}; // one for each kind
  kind = null;
  busy = null; // the name of the work in progress
  problem = null; // {where, text} of the work that failed
  #api;
  #listeners = new Set();
  #work = Promise.resolve();
  #asking = 0;
  #questions;

  constructor(api) {
    this.#api = api;
    this.#questions = new Asking(api);
  }

  get lesson() {
    return this.lessons[this.kind];
  }

  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Load the models, and the client if there is an id. */
  start(clientId) {
    return this.#run("start", async () => {
      this.kinds = modelsByKind(await this.#api.models());
      for (const [kind, models] of this.kinds) this.lessons[kind] = newLesson(models);
      this.kind = this.kinds.keys().next().value;
      if (clientId) await this.#open(clientId);
    });
  }

  chooseKind(kind) {
    this.kind = kind;
    this.problem = null;
    this.#tell();
  }

  /** Choose a model. A client that has examples moves to it. */
  chooseModel(name) {
    return this.#run("model", async () => {
      const model = this.lesson.models.find((card) => card.name === name);
      if (this.lesson.version) await this.#changed(this.#api.move(this.lesson.clientId, name));
      this.#update({ model });
    });
  }

  /** Choose whether an example may have several labels, before there is one. */
  chooseSeveral(several) {
    this.#update({ several });
  }

  clients() {
    return this.#api.clients({ limit: 100 });
  }

  versions() {
    return this.#api.versions(this.lesson.clientId);
  }

  /** Open a client of the server, or begin one under a name that is free. */
  open(clientId) {
    return this.#run("open", () => this.#open(clientId));
  }

  begin() {
    return this.#run("open", async () => this.#replace(newLesson(this.lesson.models)));
  }

  forget() {
    return this.#run("open", async () => {
      if (this.lesson.version) await this.#api.forget(this.lesson.clientId);
      this.#replace(newLesson(this.lesson.models));
    });
  }

  teach(examples) {
    return this.#run("teach", () => this.#changed(adapt(this.#api, this.lesson, examples)));
  }

  /** The last question and its right answer become an example. */
  correct(label) {
    return this.#run("ask", () => this.#changed(correct(this.#api, this.lesson, label)));
  }

  /** Choose those inputs of the pool that are most worth a label. */
  suggest() {
    return this.#run("suggest", async () => {
      const { clientId, version, pool } = this.lesson;
      if (!version) await this.#changed(adapt(this.#api, this.lesson, []));
      const found = await this.#api.suggest(clientId, pool, { k: SUGGESTED });
      this.#update({ suggested: found.map((each) => ({ input: pool[each.index], guess: each })) });
    });
  }

  /** Teach an input that was suggested. */
  label(suggested, label) {
    return this.#run("suggest", async () => {
      await this.#changed(adapt(this.#api, this.lesson, [{ input: suggested.input, label }]));
      this.leaveOut(suggested);
    });
  }

  /** The inputs of the pool become examples without labels. */
  learnUnlabelled() {
    return this.#run("suggest", async () => {
      const adapted = await this.#api.unlabelled(this.lesson.clientId, this.lesson.pool);
      this.fillPool([]);
      await this.#changed(adapted);
    });
  }

  leaveOut(suggested) {
    const pool = this.lesson.pool.filter((each) => each !== suggested.input);
    this.#update({ pool, suggested: this.lesson.suggested.filter((each) => each !== suggested) });
  }

  fillPool(pool) {
    this.#update({ pool, suggested: [] });
  }

  relabel(id, label) {
    return this.#change((clientId) => this.#api.relabel(clientId, id, label));
  }

  remove(id) {
    return this.#change((clientId) => this.#api.remove(clientId, id, { keepHistory: true }));
  }

  renameClass(label, to) {
    return this.#each(
      label,
      (id) => this.#api.relabel(this.lesson.clientId, id, to),
      () => this.#api.renameClass(this.lesson.clientId, label, to),
    );
  }

  removeClass(label) {
    const keepHistory = true;
    return this.#each(
      label,
      (id) => this.#api.remove(this.lesson.clientId, id, { keepHistory }),
      () => this.#api.removeClass(this.lesson.clientId, label, { keepHistory }),
    );
  }

  /** Go back to the version before the last change. */
  undo() {
    return this.#run("edit", async () => {
      const past = this.lesson.past.slice(0, -1);
      await this.#changed(this.#api.rollback(this.lesson.clientId, this.lesson.past.at(-1)));
      this.#update({ past });
    });
  }

  rollback(version) {
    return this.#change((clientId) => this.#api.rollback(clientId, version));
  }

  more() {
    return this.#run("edit", async () => {
      const page = await this.#api.examples(this.lesson.clientId, {
        inputs: true,
        limit: PAGE,
        cursor: this.lesson.cursor,
      });
      this.#update({ examples: [...this.lesson.examples, ...page.examples], cursor: page.next_cursor });
    });
  }

  /** Ask about an input. An answer that was overtaken by another question is dropped. */
  async ask(input) {
    const number = ++this.#asking;
    const kind = this.kind;
    await this.#run("ask", async () => {
      if (number !== this.#asking || kind !== this.kind) return;
      const answer = await this.#questions.answer(this.lesson, input);
      if (number === this.#asking && kind === this.kind)
        this.#update({ asked: input, answer, warnings: answer.warnings ?? [] });
    });
  }

  test(queries) {
    this.#update({ tests: [...this.lesson.tests, ...queries], evaluation: null });
  }

  clearTests() {
    this.#update({ tests: [], evaluation: null });
  }

  evaluate() {
    return this.#run("quality", async () =>
      this.#update({ evaluation: await this.#api.evaluate(this.lesson.clientId, this.lesson.tests) }),
    );
  }

  judge() {
    return this.#run("quality", async () => this.#update({ quality: await this.#api.quality(this.lesson.clientId) }));
  }

  async #open(clientId) {
    const known = await this.#api.client(clientId).catch(unlessUnknown);
    if (!known) return this.#replace(newLesson(this.lesson.models, clientId));
    const kind = [...this.kinds].find(([, models]) => models.some((card) => card.name === known.model))?.[0];
    if (!kind) throw new Error(`The model of this client, ${known.model}, is not served.`);
    const models = this.kinds.get(kind);
    const versions = await this.#api.versions(clientId);
    const past = versions.filter((each) => !each.gone && each.version < known.version).map((each) => each.version);
    this.kind = kind;
    this.#replace({ ...newLesson(models, clientId), past: past.reverse() });
    await this.#refresh(known);
  }

  #change(call) {
    return this.#run("edit", () => this.#changed(call(this.lesson.clientId)));
  }

  /** Change a whole class; one by one where its label cannot be part of a URL. */
  #each(label, one, whole) {
    return this.#run("edit", async () => {
      if (!UNWRITABLE(label)) return this.#changed(whole());
      for (const { id } of this.lesson.examples.filter((example) => example.label === label))
        await this.#changed(one(id));
    });
  }

  /** After a change, remember the version before it, show what the server has now, and ask the last question again. */
  async #changed(call) {
    const { version: before, past, asked } = this.lesson;
    const adapted = await call;
    if (before && before !== adapted.version) this.#update({ past: [...past, before] });
    await this.#refresh(adapted);
    this.#update({ warnings: adapted.warnings ?? [] });
    if (asked === null) return;
    this.#update(
      canAnswer(this.lesson)
        ? { answer: await this.#questions.answer(this.lesson, asked) }
        : { asked: null, answer: null },
    );
  }

  async #refresh({ version, classes, several, examples: count, model: name }) {
    const { examples, next_cursor: cursor } = await this.#api.examples(this.lesson.clientId, {
      inputs: true,
      limit: PAGE,
    });
    const model = this.lesson.models.find((card) => card.name === name) ?? this.lesson.model;
    const known = { version, classes, several: several ?? (!count && this.lesson.several), count, model };
    this.#update({ ...known, examples, cursor, quality: null, evaluation: null });
  }

  #replace(lesson) {
    this.lessons = { ...this.lessons, [this.kind]: lesson };
    this.#tell();
  }

  #update(changes) {
    this.#replace({ ...this.lesson, ...changes });
  }

  /** Run one work after another, and keep the problem of one that fails. */
  #run(where, work) {
    this.#work = this.#work.then(async () => {
      this.busy = where;
      this.problem = null;
      this.#tell();
      try {
        await work();
      } catch (error) {
        this.problem = { where, text: textOf(error) };
      }
      this.busy = null;
      this.#tell();
      return this.problem === null;
    });
    return this.#work;
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
