// Two rounds with a tool with each of the SDKs, streamed and not, as an agent built on
// it runs them. Prints one line of JSON for each loop; the test that starts this
// compares them.
// Usage: node sdks.mjs <sdk> <base URL without /v1> <model>...
import * as loops from "./loops.mjs";

const [sdk, base, ...models] = process.argv.slice(2);
for (const model of models) {
  for (const stream of [false, true]) {
    const { calls, finishes, text } = await loops[sdk](base, model, stream);
    console.log(JSON.stringify({ model, stream, calls, finishes, text }));
  }
}
