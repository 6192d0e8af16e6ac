// The loops, one for each SDK: ask, run the calls, hand in the results, read the text.
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { GoogleGenAI } from "@google/genai";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const question = "What is the weather in Paris and in Rome? Use the tool for both.";
const result = '{"temperature_c":21}';
const name = "get_weather";
const description = "Current weather of a city";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const apiKey = "none";

export async function openaiChat(base, model, stream) {
  const client = new OpenAI({ baseURL: base + "/v1", apiKey, maxRetries: 0 });
  const messages = [{ role: "user", content: question }];
  const ask = async () => {
    const body = { model, messages, tools: [{ type: "function", function: { name, description, parameters } }] };
    const whole = stream ? client.chat.completions.stream(body).finalChatCompletion() : client.chat.completions.create(body);
    const choice = (await whole).choices[0];
    finishes.push(choice.finish_reason);
    return choice.message;
  };
  const finishes = [];
  const first = await ask();
  const calls = first.tool_calls.map((c) => ({ name: c.function.name, arguments: JSON.parse(c.function.arguments) }));
  messages.push(first, ...first.tool_calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: result })));
  const { content: text } = await ask();
  return { calls, finishes, text };
}

export async function openaiResponses(base, model, stream) {
  const client = new OpenAI({ baseURL: base + "/v1", apiKey, maxRetries: 0 });
  const input = [{ role: "user", content: question }];
  const ask = async () => {
    const body = { model, input, store: false, include: ["reasoning.encrypted_content"],
      tools: [{ type: "function", name, description, parameters, strict: false }] };
    if (!stream) return client.responses.create(body);
    return client.responses.stream(body).finalResponse();
  };
  const first = await ask();
  const made = first.output.filter((item) => item.type === "function_call");
  const calls = made.map((c) => ({ name: c.name, arguments: JSON.parse(c.arguments) }));
  input.push(...first.output.map(({ parsed_arguments, ...item }) => item));
  input.push(...made.map((c) => ({ type: "function_call_output", call_id: c.call_id, output: result })));
  const last = await ask();
  return { calls, finishes: [first.status, last.status], text: last.output_text };
}

export async function anthropic(base, model, stream) {
  const client = new Anthropic({ baseURL: base, apiKey, maxRetries: 0 });
  const messages = [{ role: "user", content: question }];
  const ask = async () => {
    const body = { model, max_tokens: 4096, messages, tools: [{ name, description, input_schema: parameters }] };
    if (!stream) return client.messages.create(body);
    return client.messages.stream(body).finalMessage();
  };
  const first = await ask();
  const made = first.content.filter((block) => block.type === "tool_use");
  messages.push({ role: "assistant", content: first.content });
  messages.push({ role: "user", content: made.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: result })) });
  const last = await ask();
  return {
    calls: made.map((c) => ({ name: c.name, arguments: c.input })),
    finishes: [first.stop_reason, last.stop_reason],
    text: last.content.filter((block) => block.type === "text").map((block) => block.text).join(""),
  };
}

export async function google(base, model, stream) {
  const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: base } });
  const contents = [{ role: "user", parts: [{ text: question }] }];
  const config = { tools: [{ functionDeclarations: [{ name, description, parametersJsonSchema: parameters }] }] };
  const ask = async () => {
    const asked = { model, contents, config };
    const chunks = stream ? await client.models.generateContentStream(asked) : [await client.models.generateContent(asked)];
    const parts = [];
    for await (const chunk of chunks) {
      const candidate = chunk.candidates?.[0];
      parts.push(...(candidate?.content?.parts ?? []));
      if (candidate?.finishReason) finishes.push(candidate.finishReason);
    }
    return parts;
  };
  const finishes = [];
  const first = await ask();
  const made = first.filter((part) => part.functionCall).map((part) => part.functionCall);
  contents.push({ role: "model", parts: first });
  contents.push({ role: "user", parts: made.map((c) => ({ functionResponse: { id: c.id, name: c.name, response: JSON.parse(result) } })) });
  const last = await ask();
  return {
    calls: made.map((c) => ({ name: c.name, arguments: c.args })),
    finishes,
    text: last.filter((part) => part.text && !part.thought).map((part) => part.text).join(""),
  };
}

export async function vercel(base, model, stream) {
  const gateway = createOpenAICompatible({ name: "gateway", baseURL: base + "/v1", apiKey });
  const calls = [];
  const asked = {
    model: gateway(model), prompt: question, maxRetries: 0, stopWhen: stepCountIs(3),
    tools: {
      [name]: tool({
        description, inputSchema: z.object({ city: z.string() }),
        execute: async (input) => { calls.push({ name, arguments: input }); return JSON.parse(result); },
      }),
    },
  };
  const whole = stream ? streamText(asked) : await generateText(asked);
  const [text, steps] = await Promise.all([whole.text, whole.steps]);
  return { calls, finishes: steps.map((step) => step.finishReason), text };
}

export async function langchain(base, model, stream) {
  const weather = langchainTool(async () => result, { name, description, schema: z.object({ city: z.string() }) });
  const bound = new ChatOpenAI({ model, apiKey, maxRetries: 0, useResponsesApi: false, configuration: { baseURL: base + "/v1" } }).bindTools([weather]);
  const messages = [new HumanMessage(question)];
  const ask = async () => {
    if (!stream) return bound.invoke(messages);
    let sum;
    for await (const chunk of await bound.stream(messages)) sum = sum ? sum.concat(chunk) : chunk;
    return sum;
  };
  const first = await ask();
  messages.push(first);
  for (const call of first.tool_calls) messages.push(new ToolMessage({ tool_call_id: call.id, content: await weather.invoke(call.args) }));
  const last = await ask();
  return {
    calls: first.tool_calls.map((c) => ({ name: c.name, arguments: c.args })),
    finishes: [first, last].map((message) => message.response_metadata.finish_reason),
    text: last.content,
  };
}
