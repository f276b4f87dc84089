/** Five points of a sine wave of amplitude 3, and the place of its valley. */

export default () => ({
  examples: [-4, -2, 0, 2, 4].map((input) => ({ input, label: Number((3 * Math.sin(input)).toFixed(3)) })),
  query: -1.57,
});
