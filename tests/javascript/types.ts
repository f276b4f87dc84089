// What a program in TypeScript writes. `make lint-js` compiles it; the marked lines must be refused.
import { type Explanation, Handful, HandfulError, type Prediction } from "../../service/playground/handful.js";

const handful = new Handful("http://127.0.0.1:8000", { apiKey: "key", onUnauthorized: async () => null });

export async function sorted(texts: string[]): Promise<(string | number | undefined)[]> {
  await handful.adapt(
    "shop",
    [["Where is my parcel?", "delivery"], { input: "I want my money back", label: "refund", id: "b" }],
    {
      model: "texts",
    },
  );
  const answers: Prediction[] = await handful.predict("shop", texts, { abstain: true, explain: true });
  const why: Explanation | undefined = answers[0]?.explanation;
  if (answers[0]?.id) await handful.feedback("shop", answers[0].id, "refund");
  await handful.append("shop", [["angry about the bill", new Set(["billing", "complaint"])]], { keep_queries_s: 60 });
  const { unlabelled = 0 } = await handful.unlabelled("shop", texts, { ids: ["a"] });
  const [next] = await handful.suggest("shop", texts, { k: 5 });
  console.log(unlabelled + 1, texts[next?.index ?? 0]);
  for await (const example of handful.allExamples("shop", { inputs: true })) console.log(example.id, why?.method);
  return answers.map(({ label }) => label);
}

export const isBusy = (error: unknown): boolean => error instanceof HandfulError && error.code === "busy";

// @ts-expect-error a client id is a text
handful.client(7);
// @ts-expect-error there is no such option
handful.predict("shop", ["a"], { explanation: true });
