/** Examples to the server: new ones, and answers that a person corrected. */

const KEPT_S = 3600; // how long the server keeps a question, so that its answer can be corrected

/** Add examples. The server keeps the questions of a new client for a while, unless it keeps none. */
export async function adapt(api, { clientId, version, model: { name: model } }, examples) {
  if (version) return api.append(clientId, examples, { model });
  return api.adapt(clientId, examples, { model, keep_queries_s: KEPT_S }).catch((error) => {
    if (error.field !== "keep_queries_s") throw error;
    return api.adapt(clientId, examples, { model });
  });
}

/** Teach the last question: by the id of its answer if the server has kept it, or else by its input. */
export async function correct(api, lesson, label) {
  const [{ id }] = lesson.answer.predictions;
  const append = () => adapt(api, lesson, [{ input: lesson.asked, label }]);
  if (!id) return append();
  return api.feedback(lesson.clientId, id, label).catch((error) => {
    if (error.code !== "unknown_prediction") throw error;
    return append();
  });
}
