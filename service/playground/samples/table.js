/** Twenty customers of a gym, and whether each stays or leaves; and one more. */

const COLUMNS = ["age", "plan", "seats", "spend", "trained"];

const ROWS = [
  [22, "free", 1, 0.0, true, "leaves"],
  [35, "pro", 4, 49.0, true, "stays"],
  [41, "pro", 9, 99.0, false, "stays"],
  [29, "free", 1, 0.0, false, "leaves"],
  [53, "team", 25, 310.0, true, "stays"],
  [31, "free", 2, null, false, "leaves"],
  [47, "team", 12, 180.0, true, "stays"],
  [38, "pro", 3, 49.0, false, "leaves"],
  [26, "free", 1, 0.0, true, "stays"],
  [60, "pro", 6, 79.0, true, "stays"],
  [33, "pro", 1, 29.0, false, "leaves"],
  [44, "team", 18, 240.0, false, "stays"],
  [24, "free", 1, 0.0, false, "leaves"],
  [51, "pro", 8, null, true, "stays"],
  [37, "team", 5, 90.0, false, "leaves"],
  [28, "free", 3, 0.0, true, "stays"],
  [45, "pro", 2, 29.0, false, "leaves"],
  [36, "team", 30, 420.0, true, "stays"],
  [58, "free", 1, 0.0, false, "leaves"],
  [40, "pro", 7, 89.0, true, "stays"],
];

const input = (row) => Object.fromEntries(COLUMNS.map((name, place) => [name, row[place]]));

export default () => ({
  examples: ROWS.map((row) => ({ input: input(row), label: row.at(-1) })),
  query: { age: 39, plan: "team", seats: 20, spend: 260, trained: true },
});
