/** The state of the page, and all that it asks of the server. Knows nothing of how the page looks. */

import { canAnswer, isRegression, modelsByKind, newLesson } from "./lesson.js";
import { isAboutExplain, textOf, unlessUnknown } from "./problems.js";

const PAGE = 200; // examples that are shown at first
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
  #unexplained = new Set(); // models that cannot explain

  constructor(api) {
    this.#api = api;
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

  clients() {
    return this.#api.clients({ limit: 100 });
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
    return this.#run("teach", async () => {
      const { clientId, version, model } = this.lesson;
      const options = { model: model.name, mode: version ? "append" : "replace" };
      await this.#changed(this.#api.adapt(clientId, examples, options));
    });
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
      const answer = await this.#predict(input);
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

  /** The answer to an input, explained where that is possible and not too costly. */
  async #predict(input) {
    const { clientId, model } = this.lesson;
    const options = isRegression(this.lesson) ? {} : { abstain: true };
    if (this.#unexplained.has(model.name)) return this.#api.predictAll(clientId, [input], options);
    try {
      return await this.#api.predictAll(clientId, [input], { ...options, explain: true });
    } catch (error) {
      if (!isAboutExplain(error)) throw error;
      if (error.code !== "too_costly") this.#unexplained.add(model.name);
      return this.#api.predictAll(clientId, [input], options);
    }
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
    if (asked !== null && canAnswer(this.lesson)) this.#update({ asked, answer: await this.#predict(asked) });
  }

  async #refresh({ version, classes, examples: count, model: name }) {
    const page = await this.#api.examples(this.lesson.clientId, { inputs: true, limit: PAGE });
    const model = this.lesson.models.find((card) => card.name === name) ?? this.lesson.model;
    const stale = { answer: null, asked: null, quality: null, evaluation: null };
    this.#update({ version, classes, count, model, examples: page.examples, cursor: page.next_cursor, ...stale });
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
