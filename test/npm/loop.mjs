// A streaming tool loop of two rounds with the npm SDK, as an agent runs it. Prints
// what came out as one line of JSON; the test that starts this compares providers.
// Usage: node loop.mjs <base URL> <model>
import OpenAI from "openai";

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: process.env.SDK_KEY ?? "none", maxRetries: 0 });
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Current weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const messages = [{ role: "user", content: "What is the weather in Paris and in Rome? Use the tool for both." }];

async function round() {
  const stream = client.chat.completions.stream({
    model, messages, tools, stream_options: { include_usage: true },
  });
  const completion = await stream.finalChatCompletion();
  if (!(completion.usage?.total_tokens > 0)) throw new Error("no usage in the stream");
  return completion.choices[0];
}

const first = await round();
const calls = first.message.tool_calls ?? [];
messages.push(first.message);
for (const call of calls) {
  messages.push({ role: "tool", tool_call_id: call.id, content: '{"temperature_c":21}' });
}
const second = await round();

console.log(JSON.stringify({
  calls: calls.map((call) => ({ name: call.function.name, arguments: JSON.parse(call.function.arguments) })),
  finishes: [first.finish_reason, second.finish_reason],
  text: second.message.content,
}));
