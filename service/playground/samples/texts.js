/** Six sentences to a shop, and a seventh. */

export default () => ({
  examples: [
    { input: "Where is my parcel?", label: "delivery" },
    { input: "My order still has not arrived", label: "delivery" },
    { input: "I want my money back", label: "refund" },
    { input: "Please reimburse me for the broken lamp", label: "refund" },
    { input: "I cannot log in", label: "account" },
    { input: "How do I change my password?", label: "account" },
  ],
  query: "The courier never came",
});
