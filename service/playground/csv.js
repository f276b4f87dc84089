/** Tables from CSV: what Papa Parse reads, with the type of each column. */

const LABELS = ["label", "class", "category", "target", "intent", "outcome", "y"];

/** The header and the rows of a CSV text, or null if it has no row below its header. Beside semicolons, numbers may have
 * a decimal comma. */
export function parseCsv(text, parser = globalThis.Papa) {
  const { data, meta } = parser.parse(text.trim(), { skipEmptyLines: "greedy" });
  if (data.length < 2) return null;
  const [header, ...written] = data;
  const rows = meta.delimiter === ";" ? written.map((row) => row.map(withPoint)) : written;
  const names = header.map((name, place) => String(name).trim() || `column ${place + 1}`);
  return { names, rows: rows.map((row) => names.map((_, place) => row[place] ?? "")) };
}

const DECIMAL_COMMA = /^\s*[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*$/;

const withPoint = (text) => (DECIMAL_COMMA.test(text) ? text.replaceAll(".", "").replace(",", ".") : text);

/** Rows of a table as CSV. */
export const writeCsv = (inputs, parser = globalThis.Papa) => parser.unparse(inputs);

/** The column that probably holds the labels: one that is called so, or else the last one. */
export function labelColumn({ names }) {
  const named = names.findIndex((name) => LABELS.includes(name.toLowerCase()));
  return named < 0 ? names.length - 1 : named;
}

/** The column with the longest texts besides the labels. */
export function textColumn({ names, rows }, label) {
  const lengths = names.map((_, place) =>
    place === label ? -1 : rows.reduce((sum, row) => sum + row[place].length, 0),
  );
  return lengths.indexOf(Math.max(...lengths));
}

/** Examples of a table: an object for each row, its label apart. Rows without a label are left out. */
export function tableExamples(table, label, labelOf = (text) => text) {
  const read = rowReader(
    table,
    table.names.filter((_, place) => place !== label),
  );
  return labelled(table.rows, label).map((row) => ({ input: read(row), label: labelOf(row[label]) }));
}

/** Inputs of a table: an object for each row, of the known columns, or of all if none is known yet. */
export function tableInputs(table, known) {
  const names = table.names.filter((name) => known.includes(name));
  return table.rows.map(rowReader(table, names.length ? names : table.names));
}

/** Reads a row as an object of these columns, each with its type. */
function rowReader({ names, rows }, wanted) {
  const columns = wanted.map((name) => [name, names.indexOf(name)]);
  const typed = columns.map(([, place]) => columnType(rows.map((row) => row[place])));
  return (row) => Object.fromEntries(columns.map(([name, place], i) => [name, typed[i](row[place])]));
}

/** Examples of texts: one column is the text. */
export function textExamples({ rows }, label, text, labelOf = (given) => given) {
  const full = labelled(rows, label).filter((row) => row[text].trim());
  return full.map((row) => ({ input: row[text].trim(), label: labelOf(row[label]) }));
}

/** How to read the values of a column: as numbers if all are, as booleans if all are, otherwise as texts. */
export function columnType(values) {
  const given = values.map((value) => value.trim()).filter(Boolean);
  if (given.every(isNumber)) return (value) => (value.trim() ? Number(value) : null);
  if (given.every((value) => /^(true|false)$/i.test(value)))
    return (value) => (value.trim() ? /^true$/i.test(value.trim()) : null);
  return (value) => value.trim() || null;
}

const labelled = (rows, label) => rows.filter((row) => row[label].trim());

const isNumber = (text) => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && !/^[+-]?0\d/.test(text); // 007 is a name
